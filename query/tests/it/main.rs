//! The language and its engine, against each other and against tables of cases.

mod cases;
mod demand;
mod differential;
mod engine;
mod generate;
mod limits;
mod naive;
