//! A line that has gone silent says nothing of it: whoever comes back to the endpoint must not wait for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use muster_client::proto::{ListNamespacesRequest, SyncRequest};
use muster_client::{Client, ClientConfig, RetryPolicy};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

use crate::fake::{Script, start};

/// A line to a server. From when it is frozen, connections that were made before stay open and carry nothing.
async fn line(target: SocketAddr) -> (SocketAddr, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("is bound");
    let freeze = watch::Sender::new(false);
    let told = freeze.subscribe();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let mut frozen = told.clone();
            let is_late = *frozen.borrow();
            tokio::spawn(carry(near, target, async move {
                if is_late || frozen.wait_for(|frozen| *frozen).await.is_err() {
                    std::future::pending::<()>().await;
                }
            }));
        }
    });
    (address, freeze)
}

async fn carry(mut near: TcpStream, target: SocketAddr, frozen: impl Future<Output = ()>) {
    let mut far = TcpStream::connect(target).await.expect("the server listens");
    tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => return,
        () = frozen => {}
    }
    // Both ends stay as they are.
    std::future::pending::<()>().await;
}

fn client(address: SocketAddr) -> Client {
    let policy = RetryPolicy { attempt_timeout: Duration::from_millis(500), ..RetryPolicy::default() };
    let config = ClientConfig::new([format!("http://{address}")]).retry(policy);
    Client::new(config).expect("loopback may be plaintext")
}

/// Before anything could notice that the line is dead: pings go every 20 seconds.
const SOON: Duration = Duration::from_secs(8);

#[tokio::test]
async fn a_call_that_comes_back_uses_another_line() {
    let (address, freeze) = line(start(Arc::new(Script::default())).await).await;
    let client = client(address);
    client.namespaces().list(ListNamespacesRequest::default()).await.expect("the line is good");
    freeze.send_replace(true);
    let asked = Instant::now();
    client.namespaces().list(ListNamespacesRequest::default()).await.expect("over another line");
    assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
}

#[tokio::test]
async fn a_link_that_comes_back_uses_another_line() {
    let (address, freeze) = line(start(Arc::new(Script::default())).await).await;
    let client = client(address);
    client.namespaces().list(ListNamespacesRequest::default()).await.expect("the line is good");
    freeze.send_replace(true);
    let open = async || {
        let (_frames, outgoing) = mpsc::channel::<SyncRequest>(1);
        client.sync(outgoing).await.expect_err("this server knows no edges")
    };
    let asked = Instant::now();
    assert_eq!(open().await.code(), muster_client::Code::DeadlineExceeded, "the line is dead");
    assert_eq!(open().await.code(), muster_client::Code::Unimplemented, "the server answers over another one");
    assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
}
