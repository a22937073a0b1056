//! Tests of the client and of the command line against servers inside the test, on ports of their own.

mod cli;
mod fake;
mod import;
mod retry;
mod served;
mod silent;
mod twin_stream;
