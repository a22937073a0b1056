//! `muster-bench query --quick` from outside: it measures everything it says, compares before, and leaves nothing behind.
//!
//! Uses what is there: PostgreSQL 15 where it is installed, the node where its binary lies beside the load generator's (as
//! after a build of the workspace).

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const BENCH: &str = env!("CARGO_BIN_EXE_muster-bench");
const QUESTIONS: usize = 17;

fn run(arguments: &[&str]) -> Output {
    Command::new(BENCH).arg("query").arg("--quick").args(arguments).output().expect("the load generator runs")
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn check_side(side: &Value) {
    let name = &side["name"];
    let at_rest = side["at_rest"].as_array().expect("questions");
    assert_eq!(at_rest.len(), QUESTIONS, "{name}");
    for answered in at_rest {
        assert!(answered["p50_ms"].as_f64().is_some_and(|time| time > 0.0), "{name}: {answered}");
        assert_eq!(answered["runs"], 11, "{name}: {answered}");
    }
    for answered in side["together"].as_array().expect("questions of several clients") {
        assert!(answered["runs"].as_u64().is_some_and(|runs| runs >= 8), "{name}: {answered}");
    }
    assert_eq!(side["together"].as_array().map(Vec::len), Some(QUESTIONS), "{name}");
    for applied in side["applied"].as_array().expect("changes") {
        assert!(applied["rate"].as_f64().is_some_and(|rate| rate > 0.0), "{name}: {applied}");
    }
    assert_eq!(side["applied"].as_array().map(Vec::len), Some(2), "{name}");
    assert_eq!(side["fresh_at_rest"]["missed"], 0, "{name}");
    let beside = &side["beside_changes"][0];
    assert!(beside["achieved_rate"].as_f64().is_some_and(|rate| rate > 0.0), "{name}: {beside}");
    assert_eq!(beside["answered"].as_array().map(Vec::len), Some(QUESTIONS), "{name}");
    assert_eq!((&beside["fresh"]["missed"], &beside["fresh"]["probes"]), (&0.into(), &200.into()), "{name}");
}

fn check_live(live: &Value) {
    for kind in ["enter", "update", "leave"] {
        assert!(live[kind].as_f64().is_some_and(|rate| rate > 0.0), "{kind}: {live}");
    }
}

fn check_restarts(restarts: &Value) {
    let measured = restarts["measured"].as_array().expect("restarts");
    for restart in measured {
        let (writes, queries) = (&restart["writes_after_seconds"], &restart["queries_after_seconds"]);
        let (writes, queries) = (writes.as_f64().expect("seconds"), queries.as_f64().expect("seconds"));
        assert!(writes > 0.0 && queries >= writes, "{restart}");
    }
    // Two ways, or one and why there is no other.
    assert_eq!(measured.len(), if restarts["left_out"].is_null() { 2 } else { 1 }, "{restarts}");
}

#[test]
fn a_quick_run_measures_every_question_of_each_system() {
    let folder = tempfile::tempdir().expect("a folder");
    // The server's user has to pass through.
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).expect("permissions");
    let data = folder.path().join("data");
    std::fs::create_dir(&data).expect("a folder");
    let json = folder.path().join("numbers.json");
    let (data_text, json_text) = (data.to_str().expect("plain path"), json.to_str().expect("plain path"));
    let mut arguments = vec!["--rates", "1000", "--subscriptions", "100", "--data-dir", data_text, "--json", json_text];
    let postgres = Path::new("/usr/lib/postgresql/15/bin/initdb").is_file();
    let musterd = Path::new(BENCH).with_file_name("musterd").is_file();
    if !postgres {
        arguments.push("--no-postgres");
    }
    if !musterd {
        arguments.push("--no-muster");
    }
    let output = run(&arguments);
    if !postgres && !musterd {
        assert!(errors(&output).contains("nothing to measure"), "{}", errors(&output));
        return;
    }
    assert!(output.status.success(), "{}", errors(&output));
    assert!(!errors(&output).contains("nothing was found"), "{}", errors(&output));
    let numbers: Value = serde_json::from_slice(&std::fs::read(&json).expect("numbers")).expect("JSON");
    if postgres {
        check_side(&numbers["postgres"]);
        assert_eq!(numbers["postgres_fitted"].as_array().map(Vec::len), Some(QUESTIONS));
    }
    if musterd {
        check_side(&numbers["muster"]);
        let documents = numbers["engine"]["needs_documents"].as_array().map_or(0, Vec::len);
        assert_eq!(numbers["engine_at_rest"].as_array().map(Vec::len), Some(QUESTIONS - documents));
        check_live(&numbers["live"]);
        check_restarts(&numbers["restarts"]);
    }
    let compared = if postgres && musterd { 4_000.into() } else { Value::Null };
    assert_eq!(numbers["compared_after_changes"], compared);
    assert_eq!(std::fs::read_dir(&data).expect("the folder").count(), 0, "data was left behind");
}

#[test]
fn without_postgresql_it_says_how_to_get_it() {
    let empty = tempfile::tempdir().expect("a folder");
    let output = run(&["--no-muster", "--postgres", empty.path().to_str().expect("plain path")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("apt-get install postgresql-15"), "{}", errors(&output));
}

#[test]
fn an_unknown_question_is_refused_with_those_there_are() {
    let output = run(&["--no-muster", "--only", "q2,q99"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("no question q99") && errors(&output).contains("q15p"), "{}", errors(&output));
}
