//! Devices reach their own twin, without its tags, and nothing else.

use anyhow::Context;
use muster_client::{Code, names, proto};
use proto::Role;

use super::{OTHER, OWN, keys, list, patch, pki, report, single, tags, twin, with_certificate, with_token};
use crate::table::{Table, code};
use crate::wire;

#[tokio::test(flavor = "multi_thread")]
async fn a_device_reaches_its_own_twin_only() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let (cluster, admin) = single().await?;
    let issue = ["issue-client", "--role", "device", "--name", "pump7", "--namespace", OWN, "--device", "pump7"];
    pki(&issue, &cluster.pki()).await?;
    let token = wire::token(&admin, Role::Device, OWN, "pump7").await?.1;
    let mut table = Table::default();
    for (how, device) in
        [("token", with_token(&cluster, &token)?), ("certificate", with_certificate(&cluster, "pump7")?)]
    {
        let own = device.twins().get(twin(OWN, "pump7")).await?.twin.context("a twin")?;
        table.same(
            &format!("{how}: desired is there"),
            own.desired.map(|desired| desired.json),
            Some("{\"value\":0}".to_owned()),
        );
        table.same(&format!("{how}: tags are not"), own.tags, None);
        let refused = [
            ("its tags", code(&device.twins().get(tags(OWN, "pump7")).await)),
            ("another's twin", code(&device.twins().get(twin(OWN, "pump8")).await)),
            ("its namesake's twin elsewhere", code(&device.twins().get(twin(OTHER, "pump7")).await)),
            ("a twin that is not there", code(&device.twins().get(twin(OWN, "nothing")).await)),
            ("another's report", code(&device.twins().report(report(OWN, "pump8")).await)),
            ("its namesake's report elsewhere", code(&device.twins().report(report(OTHER, "pump7")).await)),
            ("its own desired", code(&device.twins().patch(patch(OWN, "pump7", 9)).await)),
            ("a stream of patches", device.twins().patch_stream().await.err().map_or(Code::Ok, |error| error.code())),
            ("a list", code(&device.devices().list(list(OWN)).await)),
            ("its keys", code(&device.devices().keys(keys(OWN)).await)),
            ("the status", code(&device.cluster().status(proto::GetStatusRequest {}).await)),
        ];
        for (what, found) in refused {
            table.same(&format!("{how}: {what}"), found, Code::PermissionDenied);
        }
        table.same(&format!("{how}: its report"), code(&device.twins().report(report(OWN, "pump7")).await), Code::Ok);
        let name = names::device(OWN, "pump7");
        let request = proto::SetDeviceStatusRequest { name, ..Default::default() };
        admin.devices().disable(request.clone()).await?;
        let disabled = [
            code(&device.twins().get(twin(OWN, "pump7")).await),
            code(&device.twins().report(report(OWN, "pump7")).await),
        ];
        table.same(&format!("{how}: nothing while it is disabled"), disabled, [Code::FailedPrecondition; 2]);
        admin.devices().enable(request).await?;
        table.same(&format!("{how}: enabled again"), code(&device.twins().get(twin(OWN, "pump7")).await), Code::Ok);
    }
    table.finish();
    Ok(())
}
