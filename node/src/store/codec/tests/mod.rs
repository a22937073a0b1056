//! Tests of the stored formats: golden bytes, round trips, agreement with the .proto files, damage, and speed.

mod agreement;
mod arbitrary;
mod damage;
mod golden;
mod round_trip;
mod samples;
mod speed;
