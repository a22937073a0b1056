//! Messages that are none: too large, or bytes that are no protobuf.

use muster_client::Code;
use tonic_types::StatusExt;

use super::{desired, invalid, single, state};
use crate::table::Table;
use crate::wire;

/// The largest message a node takes, by default.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_are_none_do_not_hurt_the_node() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, client) = single().await?;
    let before = state(&client).await?;
    let mut table = Table::default();

    for times in [1, 3] {
        let outcome = client.twins().patch(desired(&"x".repeat(times * MESSAGE_BYTES_MAX))).await;
        table.refused(&format!("{times} times the limit"), &outcome, invalid("MESSAGE_TOO_LARGE", ""));
        let told = outcome.err().map(|error| error.message().to_owned()).unwrap_or_default();
        table.check("the limit is told", told.contains(&MESSAGE_BYTES_MAX.to_string()), || told);
    }

    let token = std::fs::read_to_string(cluster.pki().join("admin.token"))?;
    let channel = wire::anonymous(&cluster)?;
    let patch = "/muster.v1.TwinService/PatchTwin";
    let long = vec![0x0a; 100_000];
    for (case, path, message) in [
        ("bytes that are no message", patch, vec![0xff; 64]),
        ("a field that ends early", patch, vec![0x0a, 0x7f, b'x']),
        ("a length beyond everything", patch, vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
        ("a field of another type", patch, vec![0x08, 0x01]),
        ("a name that is not UTF-8", patch, vec![0x0a, 0x02, 0xc3, 0x28]),
        ("groups without an end", patch, vec![0x0b; 10_000]),
        ("the same byte over and over", patch, long),
        ("bytes on a stream", "/muster.v1.TwinService/PatchTwinStream", vec![0xff; 64]),
        ("a batch of bytes", "/muster.v1.DeviceService/BatchCreateDevices", vec![0x12, 0x03, 0xff, 0xff, 0xff]),
    ] {
        let outcome = wire::call(&channel, path, Some(token.trim()), message).await;
        let reason = outcome.err().map(|status| (status.code(), status.get_details_error_info()));
        let reason = reason.map(|(code, info)| (code, info.map(|info| info.reason).unwrap_or_default()));
        table.same(case, reason, Some((Code::InvalidArgument, "MESSAGE_MALFORMED".to_owned())));
    }
    let alive = client.twins().patch(desired("{\"alive\":true}")).await;
    table.check("the node goes on", alive.is_ok(), || format!("{alive:?}"));
    table.same("with this change only", state(&client).await?.0, before.0 + 1);
    table.finish();
    Ok(())
}
