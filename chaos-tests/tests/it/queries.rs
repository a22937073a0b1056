//! Queries on real clusters: never stale, the same on all nodes, live through kills, and refused with reasons.

use muster_chaos::workload::NAMESPACE;
use muster_client::{Client, names, proto};

mod exact;
mod live;
mod refused;
mod restart;

/// A query of the namespace of workloads.
fn query(text: &str) -> proto::QueryRequest {
    proto::QueryRequest {
        parent: names::namespace(NAMESPACE),
        text: text.to_owned(),
        page_size: 1_000,
        ..Default::default()
    }
}

/// The rows of an answer and its revision; all pages.
async fn answer(client: &Client, mut request: proto::QueryRequest) -> anyhow::Result<(u64, Vec<serde_json::Value>)> {
    let mut rows = Vec::new();
    loop {
        let page = client.queries().query(request.clone()).await?;
        for row in &page.rows_json {
            rows.push(serde_json::from_str(row)?);
        }
        if page.next_page_token.is_empty() {
            return Ok((page.header.unwrap_or_default().revision, rows));
        }
        request.page_token = page.next_page_token;
    }
}

async fn patch(client: &Client, device: &str, sections: (Option<&str>, Option<&str>)) -> anyhow::Result<u64> {
    let request = proto::PatchTwinRequest {
        name: names::twin(NAMESPACE, device),
        tags_json: sections.0.map(str::to_owned),
        desired_json: sections.1.map(str::to_owned),
        ..Default::default()
    };
    Ok(client.twins().patch(request).await?.header.unwrap_or_default().revision)
}
