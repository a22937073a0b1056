//! `AgentService`: what the agent says of itself.

use muster_proto::edge::v1::agent_service_server::AgentService;
use muster_proto::edge::v1::{AgentStatus, GetStatusRequest};
use tonic::{Request, Response, Status};

use super::Local;

#[tonic::async_trait]
impl AgentService for Local {
    async fn get_status(&self, _: Request<GetStatusRequest>) -> Result<Response<AgentStatus>, Status> {
        let status = self.handle.status().await;
        status.map(Response::new).ok_or_else(|| Status::unavailable("the agent is stopping"))
    }
}
