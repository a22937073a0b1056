//! What is repeated, where, and how often.

use std::sync::Arc;
use std::time::{Duration, Instant};

use muster_client::proto::{CreateNamespaceRequest, GetNamespaceRequest, ListNamespacesRequest};
use muster_client::{Client, ClientConfig, Code, RetryPolicy};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt};

use crate::fake::{Script, nobody, start};

fn client(addresses: &[std::net::SocketAddr], deadline: Duration) -> Client {
    let policy = RetryPolicy { deadline, first_wait: Duration::from_millis(5), ..RetryPolicy::default() };
    let endpoints = addresses.iter().map(|address| format!("http://{address}"));
    Client::new(ClientConfig::new(endpoints).token("mst_a_b").retry(policy)).expect("loopback may be plaintext")
}

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_read_is_repeated_until_it_succeeds_and_carries_the_token() {
    let script =
        Script::failing([Status::unavailable("no leader"), Status::unknown("?"), Status::deadline_exceeded("late")]);
    let client = client(&[start(Arc::clone(&script)).await], LONG);
    client.namespaces().list(ListNamespacesRequest::default()).await.expect("the fourth try succeeds");
    let seen = script.authorizations.lock().expect("no test panics with it").clone();
    assert_eq!(seen, vec![Some("Bearer mst_a_b".to_owned()); 4]);
}

#[tokio::test]
async fn a_write_keeps_its_request_id_over_all_tries() {
    let script = Script::failing([Status::unavailable("no leader"), Status::unknown("?")]);
    let client = client(&[start(Arc::clone(&script)).await], LONG);
    client.namespaces().create(CreateNamespaceRequest::default()).await.expect("the third try succeeds");
    let ids = script.request_ids.lock().expect("no test panics with it").clone();
    assert_eq!(ids.len(), 3);
    assert!(!ids[0].is_empty() && ids.iter().all(|id| *id == ids[0]), "{ids:?}");

    let request = CreateNamespaceRequest { request_id: "mine".to_owned(), ..Default::default() };
    client.namespaces().create(request).await.expect("nothing fails");
    assert_eq!(script.request_ids.lock().expect("no test panics with it").last().map(String::as_str), Some("mine"));
}

#[tokio::test]
async fn an_answer_is_not_repeated() {
    let script = Script::failing([Status::already_exists("it exists")]);
    let address = start(Arc::clone(&script)).await;
    let client = client(&[address], LONG);
    let error = client.namespaces().create(CreateNamespaceRequest::default()).await.expect_err("it exists");
    assert_eq!((error.code(), error.attempts(), script.calls()), (Code::AlreadyExists, 1, 1));
    assert!(!error.is_retryable());
    assert!(
        error
            .to_string()
            .contains(&format!("create_namespace failed: it exists [ALREADY_EXISTS, from http://{address}]")),
        "{error}"
    );
}

#[tokio::test]
async fn what_an_earlier_try_may_have_done_stays_unknown_until_the_server_decides() {
    let lost = || Status::unknown("the leader was lost");
    for (last, unknown) in [(Status::resource_exhausted("disk full"), true), (Status::aborted("etag is stale"), false)]
    {
        let client = client(&[start(Script::failing([lost(), last])).await], LONG);
        let error = client.namespaces().create(CreateNamespaceRequest::default()).await.expect_err("it fails");
        assert_eq!((error.attempts(), error.is_outcome_unknown()), (2, unknown), "{error}");
        let client = self::client(&[start(Script::failing([lost(), error_of(&error)])).await], LONG);
        let error = client.namespaces().list(ListNamespacesRequest::default()).await.expect_err("it fails");
        assert!(!error.is_outcome_unknown(), "a read changes nothing: {error}");
    }
}

fn error_of(error: &muster_client::CallError) -> Status {
    Status::new(error.code(), error.message())
}

#[tokio::test]
async fn a_full_queue_is_waited_out_as_long_as_the_server_asks() {
    let asked = Duration::from_millis(300);
    let full =
        Status::with_error_details(Code::ResourceExhausted, "queue full", ErrorDetails::with_retry_info(Some(asked)));
    let script = Script::failing([full, Status::resource_exhausted("disk full")]);
    let client = client(&[start(Arc::clone(&script)).await], LONG);
    let begun = Instant::now();
    let error = client.namespaces().list(ListNamespacesRequest::default()).await.expect_err("a full disk stays full");
    assert!(begun.elapsed() >= asked);
    assert_eq!((error.code(), error.attempts()), (Code::ResourceExhausted, 2));
}

#[tokio::test]
async fn the_deadline_bounds_all_tries() {
    let client = client(&[nobody().await, nobody().await], Duration::from_secs(2));
    let begun = Instant::now();
    let error = client.namespaces().list(ListNamespacesRequest::default()).await.expect_err("nobody listens");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(error.code(), Code::Unavailable);
    assert!(error.attempts() > 2, "{error}");
    assert!(error.is_retryable());
    assert!(error.to_string().contains("tries"), "{error}");
}

#[tokio::test]
async fn a_client_moves_on_from_a_dead_endpoint_and_stays_where_it_works() {
    let script = Script::failing([]);
    let address = start(Arc::clone(&script)).await;
    let client = client(&[nobody().await, address], LONG);
    let begun = Instant::now();
    for _ in 0..50 {
        client.namespaces().list(ListNamespacesRequest::default()).await.expect("one endpoint works");
    }
    assert_eq!(script.calls(), 50);
    assert!(begun.elapsed() < Duration::from_secs(5), "the dead endpoint is asked again and again");
}

#[tokio::test]
async fn a_connection_that_breaks_under_a_write_is_no_answer() {
    // Takes the connection, reads what comes and hangs up, as a node that is killed does.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let dying = listener.local_addr().expect("is bound");
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut buffer = [0; 64];
            drop(connection.read(&mut buffer).await);
        }
    });
    let script = Script::failing([]);
    let client = client(&[dying, start(Arc::clone(&script)).await], LONG);
    client.namespaces().create(CreateNamespaceRequest::default()).await.expect("the other endpoint works");
    assert_eq!(script.calls(), 1);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_left_after_the_time_of_one_try() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let silent = listener.local_addr().expect("is bound");
    let script = Script::failing([]);
    script.namespaces.lock().expect("no test panics with it").push("a".to_owned());
    let policy = RetryPolicy { attempt_timeout: Duration::from_millis(200), ..RetryPolicy::default() };
    let endpoints = [silent, start(Arc::clone(&script)).await].map(|address| format!("http://{address}"));
    let client = Client::new(ClientConfig::new(endpoints).retry(policy)).expect("loopback may be plaintext");
    let request = GetNamespaceRequest { name: "namespaces/a".to_owned(), ..Default::default() };
    client.namespaces().get(request).await.expect("the other endpoint answers");
    assert_eq!(script.calls(), 1);
    drop(listener);
}
