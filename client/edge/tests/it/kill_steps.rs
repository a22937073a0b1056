//! The real agent is killed before and after each transaction of its store, one after the other, while it connects, takes
//! reports and is told changes: nothing that was answered is lost, and nothing takes effect twice.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use muster_client::{Client, ClientConfig, RetryPolicy, proto};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::cloud::Cloud;
use super::served::{Served, eventually};

const EDGE: &str = "namespaces/plant1/edges/press-hall";
const TWIN: &str = "namespaces/plant1/devices/d01/twin";
/// Reports of a story.
const REPORTS: usize = 8;
/// Far more transactions than a story has.
const TRANSACTIONS_MAX: usize = 200;

struct Machine {
    folder: TempDir,
}

impl Machine {
    fn new(cluster: std::net::SocketAddr) -> Self {
        let folder = TempDir::new().expect("a folder");
        let text = format!(
            "[edge]\nname = \"{EDGE}\"\nstore_dir = \"store\"\n[cluster]\nendpoints = [\"http://{cluster}\"]\n\
             [local]\nsocket = \"edge.sock\"\n"
        );
        std::fs::write(folder.path().join("edge.toml"), text).expect("written");
        Self { folder }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("edge.sock")
    }

    fn start(&self, failpoint: Option<String>) -> Child {
        let log = std::fs::File::create(self.folder.path().join("log")).expect("a log");
        Command::new(env!("CARGO_BIN_EXE_muster-edge"))
            .arg("run")
            .env("MUSTER_EDGE_CONFIG", self.folder.path().join("edge.toml"))
            .envs(failpoint.map(|failpoint| ("MUSTER_FAILPOINT", failpoint)))
            .stdin(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("the agent starts")
    }
}

fn client(socket: &Path) -> Client {
    let attempt_timeout = Duration::from_secs(2);
    let once = RetryPolicy { attempts_max: 1, attempt_timeout, ..RetryPolicy::default() };
    Client::new(ClientConfig::new([format!("unix:{}", socket.display())]).retry(once)).expect("an endpoint")
}

/// Reports until all are answered, or the agent is gone; `told` of them were answered, and all before that.
async fn report(machine: &Machine, child: &mut Child, served: &Served, told: &mut Vec<usize>) {
    let client = client(&machine.socket());
    for number in told.last().map_or(0, |last| last + 1)..REPORTS {
        let request = proto::ReportPropertiesRequest {
            name: TWIN.to_owned(),
            reported_json: format!(r#"{{"n":{number}}}"#),
            // The same call again has no second effect while it waits.
            request_id: format!("r{number}"),
            ..Default::default()
        };
        loop {
            match client.twins().report(request.clone()).await {
                Ok(_) => break told.push(number),
                Err(_) if child.try_wait().expect("it can be asked").is_some() => return,
                // It has not started, or holds nothing yet.
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
        if number == REPORTS / 2 {
            served.cloud().put_device("d02", r#"{"fw":"2"}"#);
            served.cloud().move_away("d03");
        }
    }
}

/// One story with a kill; false when the agent had no such transaction.
async fn story(failpoint: &str) -> bool {
    let mut cloud = Cloud::new();
    (0..5).for_each(|device| cloud.put_device(&format!("d{device:02}"), "{}"));
    let served = Served::new(cloud);
    let (address, _server) = served.serve("127.0.0.1:0".parse().expect("an address")).await;
    let machine = Machine::new(address);
    let mut told = Vec::new();
    let mut child = machine.start(Some(failpoint.to_owned()));
    report(&machine, &mut child, &served, &mut told).await;
    // The rest of the story, or the end.
    let in_step = async |served: &Served| {
        eventually("all is answered", async || {
            let cloud = served.cloud();
            let last = cloud.effects.last().map(|effect| effect.text.clone());
            (last == Some(format!(r#"{{"n":{}}}"#, REPORTS - 1))).then_some(())
        })
        .await;
    };
    let is_killed = tokio::select! {
        () = in_step(&served) => child.try_wait().expect("it can be asked").is_some(),
        _ = child.wait() => true,
    };
    if is_killed {
        child.wait().await.expect("gone");
        child = machine.start(None);
        report(&machine, &mut child, &served, &mut told).await;
        in_step(&served).await;
    }
    assert_eq!(told, (0..REPORTS).collect::<Vec<_>>(), "{failpoint}");
    let cloud = served.cloud();
    assert!(cloud.refused.is_empty(), "{failpoint}: {:?}", cloud.refused);
    let mut effects: Vec<String> = cloud.effects.iter().map(|effect| effect.text.clone()).collect();
    let sequences: Vec<u64> = cloud.effects.iter().map(|effect| effect.sequence).collect();
    assert_eq!(sequences, (1..=sequences.len() as u64).collect::<Vec<_>>(), "{failpoint}: each number once, in order");
    // A report whose answer was lost with the agent was made again by the application, perhaps after it had left the queue.
    effects.dedup();
    assert_eq!(effects, (0..REPORTS).map(|n| format!(r#"{{"n":{n}}}"#)).collect::<Vec<_>>(), "{failpoint}");
    is_killed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_any_transaction_of_the_store_loses_and_doubles_nothing() {
    for point in ["store.commit.before", "store.commit.after"] {
        let mut killed = 0;
        for at in 1..TRANSACTIONS_MAX {
            if !story(&format!("{point}:{at}")).await {
                break;
            }
            killed = at;
        }
        assert!((8..TRANSACTIONS_MAX - 1).contains(&killed), "{killed} transactions of {point}");
    }
}
