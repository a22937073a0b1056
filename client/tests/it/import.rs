//! Imports of IoT Hub files by the real binary: order, refusals, interruption.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cli::{muster, text};
use crate::fake::{Script, start};

async fn import(folder: &Path, script: &Arc<Script>, more: &[&str]) -> Output {
    let endpoint = start(Arc::clone(script)).await.to_string();
    let mut arguments = vec!["--endpoint", &endpoint, "--insecure", "import", "fleet.ndjson", "-n", "plant1"];
    arguments.extend_from_slice(more);
    muster(folder, &arguments).await
}

fn with_namespace() -> Arc<Script> {
    let script = Script::failing([]);
    script.namespaces.lock().expect("no test panics with it").push("plant1".to_owned());
    script
}

#[tokio::test]
async fn changes_of_one_device_keep_the_order_of_the_file() {
    let folder = tempfile::tempdir().expect("temp dir");
    // Seven devices, changed again and again over many batches.
    let line = |number: u64| format!("{{\"id\":\"d{}\",\"tags\":{{\"n\":{number}}}}}\n", number % 7);
    std::fs::write(folder.path().join("fleet.ndjson"), (0..2_000).map(line).collect::<String>())
        .expect("temp dir is writable");
    let script = with_namespace();
    let output = import(folder.path(), &script, &[]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("2000 accepted, 0 refused"), "{}", text(&output.stderr));
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    let imported = script.imported.lock().expect("no test panics with it").clone();
    assert_eq!(imported.len(), 2_000);
    for device in imported {
        let tags: Value = serde_json::from_str(device.tags_json.as_deref().expect("has tags")).expect("is JSON");
        let number = tags["n"].as_u64().expect("is a number");
        let before = last.insert(device.device_id.clone(), number);
        assert!(before.is_none_or(|before| before < number), "{} was overtaken", device.device_id);
    }
    assert!(!folder.path().join("fleet.ndjson.muster-import").exists(), "the state goes when all is done");
    assert!(!folder.path().join("fleet.ndjson.errors.ndjson").exists());
}

#[tokio::test]
async fn every_refused_entry_is_in_the_error_file_with_line_and_reason() {
    let folder = tempfile::tempdir().expect("temp dir");
    let long = format!("{{\"id\":\"long\",\"tags\":{{\"x\":\"{}\"}}}}", "y".repeat(1024 * 1024));
    let file = [
        "{\"id\":\"good\"}",
        "not json",
        "{\"id\":\"m\",\"importMode\":\"upsert\"}",
        &long,
        "",
        "{\"id\":\"bad-1\"}",
        "{\"id\":\"last\"}",
    ];
    std::fs::write(folder.path().join("fleet.ndjson"), file.join("\n")).expect("temp dir is writable");
    let script = with_namespace();
    let output = import(folder.path(), &script, &[]).await;
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("2 accepted, 4 refused"), "{}", text(&output.stderr));
    let errors =
        std::fs::read_to_string(folder.path().join("fleet.ndjson.errors.ndjson")).expect("there were refusals");
    let errors: Vec<(u64, String, String)> = errors
        .lines()
        .map(|line| {
            let error: Value = serde_json::from_str(line).expect("is JSON");
            let text = |name: &str| error[name].as_str().expect("is a text").to_owned();
            (error["line"].as_u64().expect("is a number"), text("id"), text("reason"))
        })
        .collect();
    let expected = |line: u64, id: &str, reason: &str| (line, id.to_owned(), reason.to_owned());
    assert_eq!(
        errors,
        [
            expected(2, "", "NOT_JSON"),
            expected(3, "m", "UNKNOWN_IMPORT_MODE"),
            expected(4, "", "LINE_TOO_LONG"),
            expected(6, "bad-1", "INVALID_ID"),
        ]
    );
}

#[tokio::test]
async fn an_interrupted_import_goes_on_and_repeats_nothing() {
    let folder = tempfile::tempdir().expect("temp dir");
    let line =
        |number: u64| format!("{{\"id\":\"{}{number}\"}}\n", if number.is_multiple_of(100) { "bad" } else { "d" });
    std::fs::write(folder.path().join("fleet.ndjson"), (0..3_000).map(line).collect::<String>())
        .expect("temp dir is writable");
    let script = with_namespace();
    *script.fail_imports_after.lock().expect("no test panics with it") = Some(7);
    let output = import(folder.path(), &script, &[]).await;
    assert_eq!(output.status.code(), Some(5), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("run the same command again"), "{}", text(&output.stderr));
    let before = script.imported.lock().expect("no test panics with it").len();
    assert_eq!(before, 7 * 200);
    assert!(folder.path().join("fleet.ndjson.muster-import").exists());

    *script.fail_imports_after.lock().expect("no test panics with it") = None;
    let output = import(folder.path(), &script, &[]).await;
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("going on after 1400 of 3000 lines"), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("2970 accepted, 30 refused"), "{}", text(&output.stderr));
    let mut ids: Vec<String> =
        script.imported.lock().expect("no test panics with it").iter().map(|device| device.device_id.clone()).collect();
    assert_eq!(ids.len(), 3_000, "nothing is sent twice");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 3_000, "nothing is left out");
    let errors =
        std::fs::read_to_string(folder.path().join("fleet.ndjson.errors.ndjson")).expect("there were refusals");
    assert_eq!(errors.lines().count(), 30, "refusals of both runs are in the file");
    assert!(!folder.path().join("fleet.ndjson.muster-import").exists());
}

#[tokio::test]
async fn ctrl_c_finishes_what_is_under_way_and_the_same_command_goes_on() {
    let folder = tempfile::tempdir().expect("temp dir");
    let lines: String = (0..4_000).map(|number| format!("{{\"id\":\"d{number}\"}}\n")).collect();
    std::fs::write(folder.path().join("fleet.ndjson"), lines).expect("temp dir is writable");
    let script = with_namespace();
    *script.import_time.lock().expect("no test panics with it") = Duration::from_millis(200);
    let endpoint = start(Arc::clone(&script)).await.to_string();
    let child = tokio::process::Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(["--endpoint", &endpoint, "--insecure", "import", "fleet.ndjson", "-n", "plant1"])
        .current_dir(folder.path())
        .env_clear()
        .env("HOME", folder.path())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the binary was built");
    let deadline = Instant::now() + Duration::from_secs(20);
    while *script.import_calls.lock().expect("no test panics with it") < 2 {
        assert!(Instant::now() < deadline, "the import does not begin");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let process = child.id().expect("it runs").to_string();
    let sent = tokio::process::Command::new("kill").args(["-INT", &process]).status().await.expect("kill exists");
    assert!(sent.success());
    let output = child.wait_with_output().await.expect("it ends");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("interrupted"), "{}", text(&output.stderr));
    let sent = script.imported.lock().expect("no test panics with it").len();
    assert!(sent < 4_000 && sent.is_multiple_of(200), "{sent}");

    *script.import_time.lock().expect("no test panics with it") = Duration::ZERO;
    let output = import(folder.path(), &script, &[]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains(&format!("going on after {sent} of 4000 lines")), "{}", text(&output.stderr));
    assert_eq!(
        script.imported.lock().expect("no test panics with it").len(),
        4_000,
        "nothing is sent twice or left out"
    );
}

#[tokio::test]
async fn a_missing_namespace_is_named_or_made() {
    let folder = tempfile::tempdir().expect("temp dir");
    std::fs::write(folder.path().join("fleet.ndjson"), "{\"id\":\"a\"}").expect("temp dir is writable");
    let script = Script::failing([]);
    let output = import(folder.path(), &script, &[]).await;
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("--create-namespace"), "{}", text(&output.stderr));
    let output = import(folder.path(), &script, &["--create-namespace", "--dry-run"]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("+ device a\n"), "{}", text(&output.stdout));
    assert!(script.imported.lock().expect("no test panics with it").is_empty(), "a dry run changes nothing");
    let output = import(folder.path(), &script, &["--create-namespace"]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(script.imported.lock().expect("no test panics with it").len(), 1);
}
