//! How far an edge is, asked of the node that serves it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use muster_client::proto::cluster_service_server::{ClusterService, ClusterServiceServer};
use muster_client::proto::edge_service_server::{EdgeService, EdgeServiceServer};
use muster_client::proto::*;
use muster_client::{Client, ClientConfig, RetryPolicy};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

type Answer<T> = Result<Response<T>, Status>;

/// A node of two that knows where both are. `press` is served by the second one, `paint` by a third, which is not there.
#[derive(Clone)]
struct Fake {
    node_id: u64,
    members: Arc<Mutex<Vec<(u64, SocketAddr)>>>,
}

impl Fake {
    async fn start(node_id: u64, members: &Arc<Mutex<Vec<(u64, SocketAddr)>>>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("is bound");
        members.lock().expect("no test panics with it").push((node_id, address));
        let fake = Self { node_id, members: Arc::clone(members) };
        let server = tonic::transport::Server::builder()
            .add_service(EdgeServiceServer::new(fake.clone()))
            .add_service(ClusterServiceServer::new(fake))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        address
    }

    fn status(&self, name: &str) -> EdgeStatus {
        let serving = if name == "press" { 2 } else { 3 };
        let connected = self.node_id == serving;
        let connection = if connected { EdgeConnection::Connected } else { EdgeConnection::Unknown };
        EdgeStatus {
            name: name.to_owned(),
            connection: connection.into(),
            session: Some(EdgeSession { node_id: serving, ..Default::default() }),
            presence: connected.then(|| EdgePresence { cursor: 7, ..Default::default() }),
        }
    }
}

#[tonic::async_trait]
impl EdgeService for Fake {
    async fn create_edge(&self, _: Request<CreateEdgeRequest>) -> Answer<EdgeResponse> {
        Err(Status::unimplemented("not needed"))
    }
    async fn get_edge(&self, _: Request<GetEdgeRequest>) -> Answer<EdgeResponse> {
        Err(Status::unimplemented("not needed"))
    }
    async fn list_edges(&self, _: Request<ListEdgesRequest>) -> Answer<ListEdgesResponse> {
        Err(Status::unimplemented("not needed"))
    }
    async fn update_edge(&self, _: Request<UpdateEdgeRequest>) -> Answer<EdgeResponse> {
        Err(Status::unimplemented("not needed"))
    }
    async fn delete_edge(&self, _: Request<DeleteEdgeRequest>) -> Answer<DeleteEdgeResponse> {
        Err(Status::unimplemented("not needed"))
    }
    async fn get_edge_status(&self, request: Request<GetEdgeStatusRequest>) -> Answer<GetEdgeStatusResponse> {
        let status = Some(self.status(&request.get_ref().name));
        Ok(Response::new(GetEdgeStatusResponse { header: None, status }))
    }
    type VerifyEdgeStream = tokio_stream::Empty<Result<VerifyEdgeResponse, Status>>;
    async fn verify_edge(&self, _: Request<VerifyEdgeRequest>) -> Answer<Self::VerifyEdgeStream> {
        Err(Status::unimplemented("not needed"))
    }
    async fn list_edge_statuses(&self, _: Request<ListEdgeStatusesRequest>) -> Answer<ListEdgeStatusesResponse> {
        let statuses = ["paint", "press"].map(|name| self.status(name)).to_vec();
        Ok(Response::new(ListEdgeStatusesResponse { statuses, ..Default::default() }))
    }
}

#[tonic::async_trait]
impl ClusterService for Fake {
    async fn get_status(&self, _: Request<GetStatusRequest>) -> Answer<GetStatusResponse> {
        let known = self.members.lock().expect("no test panics with it");
        let member = |(node_id, address): &(u64, SocketAddr)| MemberStatus {
            node_id: *node_id,
            client_address: address.to_string(),
            ..Default::default()
        };
        Ok(Response::new(GetStatusResponse { members: known.iter().map(member).collect(), ..Default::default() }))
    }
    async fn get_chain_hash(&self, _: Request<GetChainHashRequest>) -> Answer<GetChainHashResponse> {
        Err(Status::unimplemented("not needed"))
    }
    async fn create_token(&self, _: Request<CreateTokenRequest>) -> Answer<CreateTokenResponse> {
        Err(Status::unimplemented("not needed"))
    }
    async fn list_tokens(&self, _: Request<ListTokensRequest>) -> Answer<ListTokensResponse> {
        Err(Status::unimplemented("not needed"))
    }
    async fn revoke_token(&self, _: Request<RevokeTokenRequest>) -> Answer<RevokeTokenResponse> {
        Err(Status::unimplemented("not needed"))
    }
}

#[tokio::test]
async fn the_node_that_serves_an_edge_is_asked_how_far_it_is() {
    let members = Arc::default();
    let first = Fake::start(1, &members).await;
    Fake::start(2, &members).await;
    let retry = RetryPolicy { attempts_max: 1, ..RetryPolicy::default() };
    let client = Client::new(ClientConfig::new([format!("http://{first}")]).retry(retry)).expect("loopback");
    let edges = client.edges();
    let ask = |name: &str| GetEdgeStatusRequest { name: name.to_owned(), ..Default::default() };
    let plain = edges.status(ask("press")).await.expect("an answer").status.expect("a status");
    assert_eq!(plain.connection(), EdgeConnection::Unknown, "the first node serves nothing");
    let told = edges.status_where_served(ask("press")).await.expect("an answer").expect("a status");
    assert_eq!(
        (told.connection(), told.presence.map(|presence| presence.cursor)),
        (EdgeConnection::Connected, Some(7))
    );
    // Where the serving node is not to be found, the record is the answer.
    let told = edges.status_where_served(ask("paint")).await.expect("an answer").expect("a status");
    assert_eq!(told.connection(), EdgeConnection::Unknown);
    let all = edges.statuses_where_served(ListEdgeStatusesRequest::default()).await.expect("an answer");
    let told: Vec<_> = all.iter().map(|status| (status.name.as_str(), status.connection())).collect();
    assert_eq!(told, [("paint", EdgeConnection::Unknown), ("press", EdgeConnection::Connected)]);
}

#[tokio::test]
async fn a_serving_node_that_does_not_answer_leaves_the_record_as_the_answer() {
    let members = Arc::default();
    let first = Fake::start(1, &members).await;
    let gone = crate::fake::nobody().await;
    members.lock().expect("no test panics with it").push((2, gone));
    let client = Client::new(ClientConfig::new([format!("http://{first}")])).expect("loopback");
    let request = GetEdgeStatusRequest { name: "press".to_owned(), ..Default::default() };
    let told = client.edges().status_where_served(request).await.expect("an answer").expect("a status");
    assert_eq!((told.connection(), told.session.map(|session| session.node_id)), (EdgeConnection::Unknown, Some(2)));
}
