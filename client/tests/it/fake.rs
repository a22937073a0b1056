//! Servers that do what a test says: fail so many times, or take imports and remember them. They keep no rules.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use muster_client::proto::device_service_server::{DeviceService, DeviceServiceServer};
use muster_client::proto::namespace_service_server::{NamespaceService, NamespaceServiceServer};
use muster_client::proto::twin_service_server::{TwinService, TwinServiceServer};
use muster_client::proto::*;
use tokio::net::TcpListener;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status};

type Answer<T> = Result<Response<T>, Status>;

/// What a server did and will do.
#[derive(Debug, Default)]
pub(crate) struct Script {
    /// Failures of the next calls, of any kind.
    pub(crate) failures: Mutex<VecDeque<Status>>,
    /// Request ids of all calls that change something, failed ones included.
    pub(crate) request_ids: Mutex<Vec<String>>,
    /// `authorization` of all calls.
    pub(crate) authorizations: Mutex<Vec<Option<String>>>,
    /// Namespaces that exist.
    pub(crate) namespaces: Mutex<Vec<String>>,
    /// Every element of every import that was taken, in the order it came.
    pub(crate) imported: Mutex<Vec<ImportDevice>>,
    /// Outcomes by request id, as a real server keeps them.
    pub(crate) outcomes: Mutex<BTreeMap<String, BatchDevicesResponse>>,
    /// Import calls, repeated ones included.
    pub(crate) import_calls: Mutex<u64>,
    /// How long an import takes.
    pub(crate) import_time: Mutex<Duration>,
    /// Answers on a patch stream after which it breaks.
    pub(crate) break_stream_after: Mutex<Option<u64>>,
    /// Import calls after which everything fails.
    pub(crate) fail_imports_after: Mutex<Option<u64>>,
}

impl Script {
    pub(crate) fn failing(failures: impl IntoIterator<Item = Status>) -> Arc<Self> {
        Arc::new(Self { failures: Mutex::new(failures.into_iter().collect()), ..Self::default() })
    }

    pub(crate) fn calls(&self) -> usize {
        self.authorizations.lock().expect("no test panics with it").len()
    }

    fn enter<T>(&self, request: &Request<T>) -> Result<(), Status> {
        let authorization =
            request.metadata().get("authorization").and_then(|value| value.to_str().ok()).map(str::to_owned);
        self.authorizations.lock().expect("no test panics with it").push(authorization);
        match self.failures.lock().expect("no test panics with it").pop_front() {
            Some(status) => Err(status),
            None => Ok(()),
        }
    }
}

/// Starts a server and returns its address. It ends with the test's runtime.
pub(crate) async fn start(script: Arc<Script>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("is bound");
    let server = tonic::transport::Server::builder()
        .add_service(NamespaceServiceServer::new(Fake(Arc::clone(&script))))
        .add_service(TwinServiceServer::new(Fake(Arc::clone(&script))))
        .add_service(DeviceServiceServer::new(Fake(script)).max_decoding_message_size(16 * 1024 * 1024))
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(server);
    address
}

/// An address where nobody listens.
pub(crate) async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.expect("a free port").local_addr().expect("is bound")
}

struct Fake(Arc<Script>);

#[tonic::async_trait]
impl NamespaceService for Fake {
    async fn create_namespace(&self, request: Request<CreateNamespaceRequest>) -> Answer<NamespaceResponse> {
        self.0.request_ids.lock().expect("no test panics with it").push(request.get_ref().request_id.clone());
        self.0.enter(&request)?;
        let id = request.into_inner().namespace_id;
        self.0.namespaces.lock().expect("no test panics with it").push(id);
        Ok(Response::new(NamespaceResponse::default()))
    }
    async fn get_namespace(&self, request: Request<GetNamespaceRequest>) -> Answer<NamespaceResponse> {
        self.0.enter(&request)?;
        let name = request.into_inner().name;
        let known = self.0.namespaces.lock().expect("no test panics with it");
        match known.iter().any(|id| name == format!("namespaces/{id}")) {
            true => Ok(Response::new(NamespaceResponse {
                namespace: Some(Namespace { name, ..Default::default() }),
                ..Default::default()
            })),
            false => Err(Status::not_found(format!("{name} does not exist"))),
        }
    }
    async fn list_namespaces(&self, request: Request<ListNamespacesRequest>) -> Answer<ListNamespacesResponse> {
        self.0.enter(&request)?;
        let known = self.0.namespaces.lock().expect("no test panics with it");
        let namespace = |id: &String| Namespace { name: format!("namespaces/{id}"), ..Default::default() };
        Ok(Response::new(ListNamespacesResponse {
            namespaces: known.iter().map(namespace).collect(),
            ..Default::default()
        }))
    }
    async fn update_namespace(&self, _: Request<UpdateNamespaceRequest>) -> Answer<NamespaceResponse> {
        Err(Status::unimplemented("not needed"))
    }
    async fn delete_namespace(&self, _: Request<DeleteNamespaceRequest>) -> Answer<DeleteNamespaceResponse> {
        Err(Status::unimplemented("not needed"))
    }
}

macro_rules! not_needed {
    ($($method:ident($request:ty) -> $answer:ty;)*) => {
        #[tonic::async_trait]
        impl DeviceService for Fake {
            async fn import_devices(&self, request: Request<ImportDevicesRequest>) -> Answer<BatchDevicesResponse> {
                let time = *self.0.import_time.lock().expect("no test panics with it");
                tokio::time::sleep(time).await;
                self.import(request)
            }
            $(async fn $method(&self, _: Request<$request>) -> Answer<$answer> {
                Err(Status::unimplemented("not needed"))
            })*
        }
    };
}

not_needed! {
    create_device(CreateDeviceRequest) -> DeviceResponse;
    get_device(GetDeviceRequest) -> DeviceResponse;
    list_devices(ListDevicesRequest) -> ListDevicesResponse;
    update_device(UpdateDeviceRequest) -> DeviceResponse;
    enable_device(SetDeviceStatusRequest) -> DeviceResponse;
    disable_device(SetDeviceStatusRequest) -> DeviceResponse;
    delete_device(DeleteDeviceRequest) -> DeleteDeviceResponse;
    regenerate_keys(RegenerateKeysRequest) -> DeviceKeysResponse;
    get_device_keys(GetDeviceKeysRequest) -> DeviceKeysResponse;
    batch_create_devices(BatchCreateDevicesRequest) -> BatchDevicesResponse;
    batch_update_devices(BatchUpdateDevicesRequest) -> BatchDevicesResponse;
    batch_delete_devices(BatchDeleteDevicesRequest) -> BatchDevicesResponse;
    create_module(CreateModuleRequest) -> ModuleResponse;
    get_module(GetModuleRequest) -> ModuleResponse;
    list_modules(ListModulesRequest) -> ListModulesResponse;
    update_module(UpdateModuleRequest) -> ModuleResponse;
    delete_module(DeleteModuleRequest) -> DeleteModuleResponse;
}

#[tonic::async_trait]
impl TwinService for Fake {
    type PatchTwinStreamStream = ReceiverStream<Result<PatchTwinStreamResponse, Status>>;

    /// Answers each patch; refuses those without a request id.
    async fn patch_twin_stream(
        &self,
        request: Request<tonic::Streaming<PatchTwinRequest>>,
    ) -> Answer<Self::PatchTwinStreamStream> {
        self.0.enter(&request)?;
        let limit = *self.0.break_stream_after.lock().expect("no test panics with it");
        let mut patches = request.into_inner();
        let (answers, stream) = tokio::sync::mpsc::channel(16);
        tokio::spawn(async move {
            let mut sequence = 0;
            while let Ok(Some(patch)) = patches.message().await {
                if limit == Some(sequence) {
                    drop(answers.send(Err(Status::unavailable("the node stops"))).await);
                    return;
                }
                let revision = if patch.request_id.is_empty() { 0 } else { sequence + 1 };
                let answer = PatchTwinStreamResponse { sequence, revision, etag: patch.name, ..Default::default() };
                if answers.send(Ok(answer)).await.is_err() {
                    return;
                }
                sequence += 1;
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn get_twin(&self, _: Request<GetTwinRequest>) -> Answer<TwinResponse> {
        Err(Status::unimplemented("not needed"))
    }
    async fn patch_twin(&self, _: Request<PatchTwinRequest>) -> Answer<TwinChangeResponse> {
        Err(Status::unimplemented("not needed"))
    }
    async fn replace_twin(&self, _: Request<ReplaceTwinRequest>) -> Answer<TwinChangeResponse> {
        Err(Status::unimplemented("not needed"))
    }
    async fn batch_patch_twins(&self, _: Request<BatchPatchTwinsRequest>) -> Answer<BatchPatchTwinsResponse> {
        Err(Status::unimplemented("not needed"))
    }
    async fn report_properties(&self, _: Request<ReportPropertiesRequest>) -> Answer<TwinChangeResponse> {
        Err(Status::unimplemented("not needed"))
    }
}

impl Fake {
    /// Refuses devices whose id begins with `bad`; everything else is taken. A repeated request id has no second effect.
    fn import(&self, request: Request<ImportDevicesRequest>) -> Answer<BatchDevicesResponse> {
        self.0.enter(&request)?;
        let script = &self.0;
        {
            let mut calls = script.import_calls.lock().expect("no test panics with it");
            *calls += 1;
            let limit = script.fail_imports_after.lock().expect("no test panics with it");
            if limit.is_some_and(|limit| *calls > limit) {
                return Err(Status::permission_denied("the token was revoked"));
            }
        }
        let request = request.into_inner();
        let mut outcomes = script.outcomes.lock().expect("no test panics with it");
        if let Some(outcome) = outcomes.get(&request.request_id) {
            return Ok(Response::new(outcome.clone()));
        }
        let result = |device: &ImportDevice| {
            let refused = device.device_id.starts_with("bad");
            BatchItemResult {
                name: device.device_id.clone(),
                error: refused.then(|| ItemError {
                    code: 3,
                    reason: "INVALID_ID".to_owned(),
                    message: "the id is bad".to_owned(),
                    field: "device_id".to_owned(),
                }),
                ..Default::default()
            }
        };
        let answer =
            BatchDevicesResponse { results: request.devices.iter().map(result).collect(), ..Default::default() };
        script.imported.lock().expect("no test panics with it").extend(request.devices);
        outcomes.insert(request.request_id, answer.clone());
        Ok(Response::new(answer))
    }
}
