//! Streams of patches: answered in the order sent; a bad patch is refused by itself and the stream goes on.

use anyhow::Context;
use muster_client::{names, proto};

use super::{NAMESPACE, create_devices, desired, present, single, twin};

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_answers_in_order_and_survives_a_bad_patch() -> anyhow::Result<()> {
    const PATCHES: u64 = 300;
    let _turn = crate::turn().await;
    let (_cluster, client) = single().await?;
    create_devices(&client, (0..4).map(|at| format!("d{at}"))).await?;
    let patch = |at: u64| match at {
        100 => desired("d0", "{\"a b\":1}"),
        150 => desired("nothing", "{\"value\":1}"),
        200 => proto::PatchTwinRequest { etag: "1".to_owned(), ..desired("d0", "{\"value\":1}") },
        250 => proto::PatchTwinRequest { validate_only: true, ..desired("d0", "{\"value\":1}") },
        299 => proto::PatchTwinRequest { name: "nonsense".to_owned(), ..desired("", "{}") },
        at => desired(&format!("d{}", at % 4), &format!("{{\"value\":{at}}}")),
    };
    let (mut patches, mut answers) = client.twins().patch_stream().await?;
    let sending = async {
        for at in 0..PATCHES {
            patches.send(patch(at)).await.map_err(|patch| anyhow::anyhow!("not sent: {patch:?}"))?;
        }
        drop(patches);
        anyhow::Ok(())
    };
    let hearing = async {
        let mut heard = Vec::new();
        while let Some(answer) = answers.next().await? {
            heard.push(answer);
        }
        anyhow::Ok(heard)
    };
    let ((), heard) = tokio::try_join!(sending, hearing)?;
    let order: Vec<u64> = heard.iter().map(|answer| answer.sequence).collect();
    assert_eq!(order, (0..PATCHES).collect::<Vec<_>>());
    let mut last = 0;
    for answer in &heard {
        let reason = answer.error.as_ref().map(|error| (error.reason.as_str(), error.field.as_str()));
        let expected = match answer.sequence {
            100 => Some(("INVALID_DOCUMENT", "desired_json.a b")),
            150 => Some(("NOT_FOUND", "name")),
            200 => Some(("ETAG_MISMATCH", "etag")),
            250 => Some(("INVALID_FIELD", "validate_only")),
            299 => Some(("INVALID_FIELD", "name")),
            _ => None,
        };
        assert_eq!(reason, expected, "{answer:?}");
        if reason.is_none() {
            assert!(answer.revision > last && answer.etag == answer.revision.to_string(), "{answer:?} after {last}");
            last = answer.revision;
        } else {
            assert_eq!(answer.revision, 0, "{answer:?}");
        }
    }
    for at in 0..4_u64 {
        let newest = (0..PATCHES).rev().find(|sent| sent % 4 == at && ![100, 200, 250].contains(sent) && *sent != 299);
        let expected = format!("{{\"value\":{}}}", newest.context("a patch")?);
        let found = present(twin(&client, names::twin(NAMESPACE, &format!("d{at}"))).await?.desired)?;
        assert_eq!(found.json, expected);
    }
    Ok(())
}
