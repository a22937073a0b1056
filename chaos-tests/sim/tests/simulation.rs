//! The simulation itself: it repeats itself, it notices what is planted, and a short run finds nothing.

use std::process::Command;

use muster_sim::report::Report;

fn run(seed: u64, further: &[&str]) -> Report {
    let output = Command::new(env!("CARGO_BIN_EXE_muster-sim"))
        .args(["--one", &seed.to_string()])
        .args(further)
        .output()
        .expect("the program starts");
    let said = String::from_utf8(output.stdout).expect("it says text");
    said.lines().last().and_then(Report::read).unwrap_or_else(|| panic!("seed {seed} ended without a report: {said}"))
}

#[test]
fn a_seed_gives_the_same_trace_again_and_another_seed_another_one() {
    let (one, again, other) = (run(7, &[]), run(7, &[]), run(8, &[]));
    assert_eq!(one, again);
    assert_ne!(one.trace, other.trace);
    assert!(one.notes > 5_000, "{} happenings are not much of a trace", one.notes);
}

#[test]
fn disks_that_do_not_sync_are_noticed() {
    let found: Vec<_> = (1..=12).flat_map(|seed| run(seed, &["--plant", "lying-disks"]).wrongs).collect();
    let notices = |wrong: &String| wrong.contains("starts_again") || wrong.contains("acknowledged");
    assert!(found.iter().any(notices), "{found:?}");
}

#[test]
fn a_stale_read_is_noticed() {
    let found: Vec<_> = (1..=3).flat_map(|seed| run(seed, &["--plant", "stale-read"]).wrongs).collect();
    assert!(found.iter().any(|wrong| wrong.contains("reads_tell_their_revision")), "{found:?}");
    assert!(found.iter().any(|wrong| wrong.contains("linearizable")), "{found:?}");
}

#[test]
fn kept_seeds_and_a_few_others_find_nothing() {
    let output = Command::new(env!("CARGO_BIN_EXE_muster-sim"))
        .args(["--kept", "--seeds", "1000", "--seconds-max", "30", "--check-trace-of-every", "10"])
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
}
