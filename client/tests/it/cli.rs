//! The command line as a script sees it: stdout, stderr, exit code.

use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use tokio::process::Command;
use tonic::Status;

use crate::fake::{Script, nobody, start};

/// Runs `muster` in an empty folder, without the contexts of whoever runs the tests.
pub(crate) async fn muster(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_muster"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .stdin(std::process::Stdio::null())
        .output()
        .await
        .expect("the binary was built")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Exit code and stderr.
fn verdict(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), text(&output.stderr))
}

#[tokio::test]
async fn exit_codes_tell_what_happened() {
    let folder = tempfile::tempdir().expect("temp dir");
    let run = async |script: Arc<Script>, arguments: &[&str]| {
        let endpoint = start(script).await.to_string();
        let mut all = vec!["--endpoint", &endpoint, "--insecure", "--timeout", "20s"];
        all.extend_from_slice(arguments);
        verdict(&muster(folder.path(), &all).await)
    };
    let get = ["namespace", "get", "plant1"];
    let (code, said) = run(Script::failing([]), &get).await;
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("muster namespace create plant1"), "{said}");
    let cases = [
        (Status::invalid_argument("no"), 1),
        (Status::already_exists("there"), 4),
        (Status::aborted("stale"), 4),
        (Status::permission_denied("no"), 5),
        (Status::unauthenticated("who"), 5),
    ];
    for (status, expected) in cases {
        let (code, said) = run(Script::failing([status]), &get).await;
        assert_eq!(code, Some(expected), "{said}");
    }
    let endpoint = nobody().await.to_string();
    let output =
        muster(folder.path(), &["--endpoint", &endpoint, "--insecure", "--timeout", "300ms", "namespace", "list"])
            .await;
    assert_eq!(output.status.code(), Some(6), "{}", text(&output.stderr));
    for wrong in [&["--endpoint", "http://10.0.0.1:1", "namespace", "list"][..], &["namespace", "list"], &["nonsense"]]
    {
        let (code, said) = verdict(&muster(folder.path(), wrong).await);
        assert_eq!(code, Some(2), "{wrong:?}: {said}");
    }
    let (code, said) =
        verdict(&muster(folder.path(), &["--endpoint", "10.0.0.1:1", "--insecure", "namespace", "list"]).await);
    assert_eq!((code, said.contains("loopback")), (Some(2), true), "{said}");
}

#[tokio::test]
async fn data_goes_to_stdout_as_json_lines_or_as_a_table() {
    let script = Script::failing([]);
    script.namespaces.lock().expect("no test panics with it").extend(["a1b".to_owned(), "c2d".to_owned()]);
    let endpoint = start(script).await.to_string();
    let folder = tempfile::tempdir().expect("temp dir");
    let output =
        muster(folder.path(), &["--endpoint", &endpoint, "--insecure", "namespace", "list", "--output", "json"]).await;
    assert_eq!(text(&output.stdout), "{\"namespace\":\"a1b\"}\n{\"namespace\":\"c2d\"}\n");
    assert_eq!(text(&output.stderr), "");
    let output =
        muster(folder.path(), &["--endpoint", &endpoint, "--insecure", "namespace", "list", "--limit", "1"]).await;
    let table = text(&output.stdout);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 2, "{table}");
    assert!(lines[0].starts_with("NAMESPACE") && lines[1].starts_with("a1b"), "{table}");
}

#[tokio::test]
async fn contexts_are_kept_listed_and_chosen() {
    let folder = tempfile::tempdir().expect("temp dir");
    let set = muster(folder.path(), &["context", "set", "plant", "--endpoint", "n1:7420", "--ca-file", "ca.crt"]).await;
    assert!(set.status.success(), "{}", text(&set.stderr));
    assert!(
        muster(folder.path(), &["context", "set", "lab", "--endpoint", "127.0.0.1:7420", "--insecure"])
            .await
            .status
            .success()
    );
    assert!(muster(folder.path(), &["context", "use", "lab"]).await.status.success());
    let list = muster(folder.path(), &["context", "list", "--output", "json"]).await;
    let listed = text(&list.stdout);
    assert!(listed.contains("\"current\":true,\"endpoints\":[\"http://127.0.0.1:7420\"],\"name\":\"lab\""), "{listed}");
    let show = text(&muster(folder.path(), &["context", "show", "plant", "--output", "json"]).await.stdout);
    assert!(show.contains(&format!("\"caFile\":\"{}\"", folder.path().join("ca.crt").display())), "{show}");
    let unknown = muster(folder.path(), &["context", "use", "nowhere"]).await;
    assert_eq!(unknown.status.code(), Some(2), "{}", text(&unknown.stderr));
}

#[tokio::test]
async fn completions_are_made_for_a_shell() {
    let folder = tempfile::tempdir().expect("temp dir");
    let output = muster(folder.path(), &["completions", "bash"]).await;
    assert!(output.status.success());
    assert!(text(&output.stdout).contains("regenerate-keys"));
}
