//! The link to the cluster: opens streams, carries frames between them and the keeper, and waits as long as the keeper says
//! in between. It knows no rule of the protocol.

use std::time::Duration;

use muster_client::{CallError, Client, Code, SyncLink};
use tokio::sync::{mpsc, oneshot, watch};

use crate::keeper::Job;
use crate::protocol::Loss;

/// Frames on their way to the stream.
const FRAMES_MAX: usize = 8_192;
/// How often the keeper is told that time passes.
const TICK: Duration = Duration::from_millis(500);

/// Keeps a link until told to stop, or until the keeper is gone.
pub(crate) async fn run(client: Client, jobs: mpsc::Sender<Job>, mut stop: watch::Receiver<bool>) {
    loop {
        let ended = tokio::select! {
            loss = link(&client, &jobs) => loss,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let Some(loss) = ended else { return };
        tracing::info!(reason = loss.reason, "the link to the cluster ended: {}", loss.message);
        let (reply, answer) = oneshot::channel();
        if jobs.send(Job::Lost(loss, reply)).await.is_err() {
            return;
        }
        let Ok(wait) = answer.await else { return };
        let pause = async {
            match wait {
                Some(wait_ms) => tokio::time::sleep(Duration::from_millis(wait_ms)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = pause => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// One link, from its hello to its end; `None` when the keeper is gone.
async fn link(client: &Client, jobs: &mpsc::Sender<Job>) -> Option<Loss> {
    let (frames, outgoing) = mpsc::channel(FRAMES_MAX);
    let (close, mut closed) = oneshot::channel();
    // The hello is in the channel, or will be, before anything is heard.
    jobs.send(Job::Open(frames, close)).await.ok()?;
    let opened = tokio::select! {
        opened = client.sync(outgoing) => opened,
        why = &mut closed => return why.ok(),
    };
    let mut link = match opened {
        Ok(link) => link,
        Err(error) => return Some(loss(&error)),
    };
    tracing::info!(endpoint = link.endpoint(), "connected");
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let job = tokio::select! {
            frame = next(&mut link) => match frame {
                Ok(frame) => Job::Heard(Box::new(frame)),
                Err(loss) => return Some(loss),
            },
            why = &mut closed => {
                link.leave();
                return why.ok();
            }
            _ = ticks.tick() => Job::Tick,
        };
        jobs.send(job).await.ok()?;
    }
}

async fn next(link: &mut SyncLink) -> Result<muster_proto::v1::SyncResponse, Loss> {
    match link.next().await {
        Ok(Some(frame)) => Ok(frame),
        Ok(None) => Err(Loss { message: "the cluster ended the stream".to_owned(), ..Loss::default() }),
        Err(error) => Err(loss(&error)),
    }
}

fn loss(error: &CallError) -> Loss {
    Loss {
        reason: error.reason().unwrap_or_default().to_owned(),
        message: error.to_string(),
        retry_after: error.retry_after(),
        is_denied: error.reason() == Some("EDGE_DISABLED")
            || matches!(
                error.code(),
                Code::PermissionDenied
                    | Code::Unauthenticated
                    | Code::NotFound
                    | Code::InvalidArgument
                    | Code::Unimplemented
            ),
    }
}
