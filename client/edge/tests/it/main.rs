//! Tests of the edge agent: the protocol against a model of the cluster's rules with faults at every step, the real binary
//! under kill -9, and the local services.

mod agent;
mod cloud;
mod converging;
mod discovered;
mod faults;
mod kill;
mod kill_steps;
mod limits;
mod local;
mod queue_full;
mod served;
mod verify;
mod world;
