//! The real binary under kill -9 while applications report: what they were told is in the queue when it comes back (E4).

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use muster_client::{Client, ClientConfig, RetryPolicy, proto};
use muster_edge::protocol::Write;
use muster_edge::store::Store;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::cloud::Cloud;
use super::served::eventually;

const EDGE: &str = "namespaces/plant1/edges/press-hall";
/// Applications that report at the same time.
const REPORTERS: usize = 6;
const ROUNDS: usize = 4;

struct Machine {
    folder: TempDir,
}

impl Machine {
    /// A store with the devices of an edge that has been connected, and a cluster that is not there.
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let mut cloud = Cloud::new();
        (0..3).for_each(|device| cloud.put_device(&format!("d{device:02}"), "{}"));
        let (store, _) = Store::open(&folder.path().join("store"), EDGE, &mut || [7; 16]).expect("a store");
        let items: Vec<_> = cloud.scope.into_values().map(|item| Write::PutItem(Box::new(item))).collect();
        store.commit(&items, true).expect("written");
        let text = format!(
            "[edge]\nname = \"{EDGE}\"\nstore_dir = \"store\"\n[cluster]\nendpoints = [\"http://127.0.0.1:1\"]\n\
             [local]\nsocket = \"edge.sock\"\n"
        );
        std::fs::write(folder.path().join("edge.toml"), text).expect("written");
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster-edge"));
        command.env("MUSTER_EDGE_CONFIG", self.path("edge.toml")).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    async fn start(&self) -> Child {
        let log = std::fs::File::create(self.path("log")).expect("a log");
        let child = self.command().arg("run").stderr(log).spawn().expect("the agent starts");
        let client = client(&self.path("edge.sock"));
        eventually("the agent answers", async || {
            let request = proto::GetTwinRequest { name: twin(0), ..Default::default() };
            client.twins().get(request).await.ok()
        })
        .await;
        child
    }

    async fn status(&self) -> serde_json::Value {
        let output = self.command().args(["status", "--json"]).output().await.expect("run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }
}

fn client(socket: &Path) -> Client {
    let once = RetryPolicy { attempts_max: 1, ..RetryPolicy::default() };
    Client::new(ClientConfig::new([format!("unix:{}", socket.display())]).retry(once)).expect("an endpoint")
}

fn twin(device: usize) -> String {
    format!("namespaces/plant1/devices/d{device:02}/twin")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_is_there_after_kill_9() {
    let machine = Machine::new();
    let told: Arc<Mutex<Vec<usize>>> = Arc::default();
    let next = Arc::new(AtomicUsize::new(0));
    for round in 1..=ROUNDS {
        let mut child = machine.start().await;
        let reporters: Vec<_> = (0..REPORTERS)
            .map(|_| {
                let (client, told, next) = (client(&machine.path("edge.sock")), Arc::clone(&told), Arc::clone(&next));
                tokio::spawn(async move {
                    loop {
                        let number = next.fetch_add(1, Ordering::SeqCst);
                        let request = proto::ReportPropertiesRequest {
                            name: twin(number % 3),
                            reported_json: format!(r#"{{"k{number}":1}}"#),
                            ..Default::default()
                        };
                        if client.twins().report(request).await.is_err() {
                            return;
                        }
                        told.lock().expect("not poisoned").push(number);
                    }
                })
            })
            .collect();
        let enough = round * 40;
        eventually("reports are answered", async || (told.lock().expect("not poisoned").len() >= enough).then_some(()))
            .await;
        let pid = i32::try_from(child.id().expect("it runs")).expect("a pid");
        kill(Pid::from_raw(pid), Signal::SIGKILL).expect("killed");
        child.wait().await.expect("gone");
        for reporter in reporters {
            reporter.await.expect("ended by the error");
        }
    }
    let _child = machine.start().await;
    let told = told.lock().expect("not poisoned").clone();
    let status = machine.status().await;
    let newest = status["newest_sequence"].as_u64().expect("a number");
    assert!(newest >= told.len() as u64, "{newest} queued, {} told", told.len());
    assert_eq!(status["queued_operations"].as_u64(), Some(newest), "nothing was sent");
    assert!(matches!(status["link"].as_str(), Some("offline" | "opening")), "{status}");
    let client = client(&machine.path("edge.sock"));
    for device in 0..3 {
        let request = proto::GetTwinRequest { name: twin(device), ..Default::default() };
        let reported =
            client.twins().get(request).await.expect("held").twin.expect("a twin").reported.expect("reported");
        let reported: serde_json::Value = serde_json::from_str(&reported.json).expect("JSON");
        for number in told.iter().filter(|number| *number % 3 == device) {
            assert_eq!(reported[format!("k{number}")], 1, "report {number} was answered and is lost");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_has_one_agent_and_is_reset_on_purpose_only() {
    let machine = Machine::new();
    let mut child = machine.start().await;
    let second = machine.command().arg("run").output().await.expect("run");
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("is open in another process"), "{said}");
    let client = client(&machine.path("edge.sock"));
    let request =
        proto::ReportPropertiesRequest { name: twin(1), reported_json: r#"{"a":1}"#.to_owned(), ..Default::default() };
    client.twins().report(request).await.expect("queued");
    let reset = machine.command().args(["reset", "--new-incarnation"]).output().await.expect("run");
    assert!(!reset.status.success(), "not while the agent runs");
    let before = machine.status().await["incarnation"].clone();
    let pid = i32::try_from(child.id().expect("it runs")).expect("a pid");
    kill(Pid::from_raw(pid), Signal::SIGTERM).expect("asked to stop");
    assert!(child.wait().await.expect("ended").success(), "it stops in order");

    let bare = machine.command().arg("reset").output().await.expect("run");
    assert!(!bare.status.success(), "what is lost must be wanted");
    let reset = machine.command().args(["reset", "--new-incarnation"]).output().await.expect("run");
    assert!(reset.status.success());
    let said = String::from_utf8_lossy(&reset.stderr).into_owned();
    assert!(said.contains("1 operations wait in the queue"), "{said}");
    let log = std::fs::File::create(machine.path("log")).expect("a log");
    let _child = machine.command().arg("run").stderr(log).spawn().expect("the agent starts");
    let after = eventually("the agent answers", async || {
        let output = machine.command().args(["status", "--json"]).output().await.ok()?;
        serde_json::from_slice::<serde_json::Value>(&output.stdout).ok()
    })
    .await;
    assert_ne!(after["incarnation"], before);
    assert_eq!((after["items"].as_u64(), after["newest_sequence"].as_u64()), (Some(0), Some(0)));
}
