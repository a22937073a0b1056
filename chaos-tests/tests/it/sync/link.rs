//! A wire between an edge and a cluster that can be cut: a forwarder for each node.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// See the module. It ends when it is dropped.
pub(crate) struct Wire {
    whole: watch::Sender<bool>,
    addresses: Vec<SocketAddr>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Wire {
    /// To the client ports of nodes, `https://HOST:PORT`.
    pub(crate) async fn to(endpoints: Vec<String>) -> anyhow::Result<Self> {
        let whole = watch::Sender::new(true);
        let (mut addresses, mut tasks) = (Vec::new(), Vec::new());
        for endpoint in endpoints {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            addresses.push(listener.local_addr()?);
            let target = endpoint.trim_start_matches("https://").to_owned();
            tasks.push(tokio::spawn(accept(listener, target, whole.subscribe())));
        }
        Ok(Self { whole, addresses, tasks })
    }

    /// What the edge takes for its cluster.
    pub(crate) fn endpoints(&self) -> Vec<String> {
        self.addresses.iter().map(|address| format!("https://{address}")).collect()
    }

    /// Ends every connection, and every new one at once.
    pub(crate) fn cut(&self) {
        self.whole.send_replace(false);
    }

    pub(crate) fn mend(&self) {
        self.whole.send_replace(true);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

async fn accept(listener: TcpListener, target: String, whole: watch::Receiver<bool>) {
    while let Ok((near, _)) = listener.accept().await {
        if *whole.borrow() {
            tokio::spawn(carry(near, target.clone(), whole.clone()));
        }
    }
}

async fn carry(mut near: TcpStream, target: String, mut whole: watch::Receiver<bool>) {
    let Ok(mut far) = TcpStream::connect(target).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => {}
        _ = whole.wait_for(|whole| !whole) => {}
    }
}
