//! The front end as a whole: what parses, what does not and where it says so, and that what is printed is read back.

mod accepted;
