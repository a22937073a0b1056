//! Streams of patches: order, the window, and what is known after a break.

use std::sync::Arc;

use muster_client::proto::PatchTwinRequest;
use muster_client::{Client, ClientConfig, Code};

use crate::fake::{Script, start};

fn patch(number: u64) -> PatchTwinRequest {
    PatchTwinRequest { name: number.to_string(), ..Default::default() }
}

async fn client(script: &Arc<Script>) -> Client {
    let address = start(Arc::clone(script)).await;
    Client::new(ClientConfig::new([format!("http://{address}")])).expect("loopback may be plaintext")
}

#[tokio::test]
async fn answers_come_in_the_order_sent_beyond_the_window() {
    const PATCHES: u64 = 5_000;
    let client = client(&Script::failing([])).await;
    let (mut sender, mut receiver) = client.twins().patch_stream().await.expect("the server takes it");
    let sending = tokio::spawn(async move {
        for number in 0..PATCHES {
            assert_eq!(sender.send(patch(number)).await, Ok(number));
        }
    });
    for number in 0..PATCHES {
        let answer = receiver.next().await.expect("does not break").expect("does not end");
        assert_eq!((answer.sequence, answer.etag), (number, number.to_string()));
        assert_ne!(answer.revision, 0, "each patch has a request id");
    }
    sending.await.expect("all were sent");
    assert!(receiver.next().await.expect("does not break").is_none(), "it ends with its sender");
    assert!(receiver.unanswered().is_empty());
}

#[tokio::test]
async fn after_a_break_what_to_send_again_is_known() {
    let script = Script::failing([]);
    *script.break_stream_after.lock().expect("no test panics with it") = Some(10);
    let client = client(&script).await;
    let (mut sender, mut receiver) = client.twins().patch_stream().await.expect("the server takes it");
    for number in 0..25 {
        sender.send(patch(number)).await.expect("the window is wider");
    }
    for _ in 0..10 {
        receiver.next().await.expect("ten are answered").expect("does not end");
    }
    let error = receiver.next().await.expect_err("breaks");
    assert_eq!(error.code(), Code::Unavailable);
    let unanswered = receiver.unanswered();
    let names: Vec<&str> = unanswered.iter().map(|patch| patch.name.as_str()).collect();
    assert_eq!((names.len(), names[0], names[14]), (15, "10", "24"));
    assert!(unanswered.iter().all(|patch| !patch.request_id.is_empty()));
    assert!(sender.send(patch(25)).await.is_err(), "a broken stream takes nothing");
}
