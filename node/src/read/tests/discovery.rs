//! What edges discovered, in the store and in the open batch: found by edge, deleted with it, and told as it was.

use muster_domain::asset::{AssetDefinition, DeviceRef};
use muster_domain::discovery::{DiscoveredDeviceDefinition, Report};
use muster_domain::edge::EdgeDefinition;
use muster_domain::namespace::NamespaceDefinition;
use muster_domain::{Key, Operation, States as _};

use super::node::Node;
use crate::outcome::OperationResult;
use crate::read::ListRange;

const PLANT: &str = "plant";

fn create_edge(edge: &str) -> Operation {
    let definition = EdgeDefinition { enabled: true, ..EdgeDefinition::default() };
    Operation::CreateEdge { namespace: PLANT.to_owned(), edge: edge.to_owned(), definition }
}

fn report(edge: &str, device: &str, model: &str) -> Operation {
    let definition = DiscoveredDeviceDefinition { model: model.to_owned(), ..DiscoveredDeviceDefinition::default() };
    Operation::ReportDiscoveredDevice {
        namespace: PLANT.to_owned(),
        edge: edge.to_owned(),
        device: device.to_owned(),
        report: Box::new(Report { discovery_id: String::new(), definition }),
    }
}

fn report_asset(edge: &str, asset: &str) -> Operation {
    let device_ref = DeviceRef { device: "plc".to_owned(), endpoint: "opc".to_owned() };
    Operation::ReportDiscoveredAsset {
        namespace: PLANT.to_owned(),
        edge: edge.to_owned(),
        asset: asset.to_owned(),
        report: Box::new(Report {
            discovery_id: String::new(),
            definition: AssetDefinition { device_ref, ..AssetDefinition::default() },
        }),
    }
}

fn delete_edge(edge: &str) -> Operation {
    Operation::DeleteEdge { namespace: PLANT.to_owned(), edge: edge.to_owned(), etag: None }
}

#[track_caller]
fn run(node: &mut Node, operations: Vec<Operation>) {
    let outcome = node.run(operations);
    assert!(outcome.results.iter().all(OperationResult::is_accepted), "{outcome:?}");
}

/// What is told of an edge's things: `device` or `asset` and the id.
fn of_edge(node: &Node, edge: &str) -> Vec<String> {
    let view = node.view();
    let states = view.pinned(view.revision());
    let found = states.discovered_of(PLANT, edge, 100);
    found.iter().map(|key| key.to_string().rsplit('/').next().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn things_are_found_by_edge_and_go_with_it() {
    let mut node = Node::new();
    let namespace =
        Operation::CreateNamespace { namespace: PLANT.to_owned(), definition: NamespaceDefinition::default() };
    // One edge's id is the beginning of the other's.
    run(&mut node, vec![namespace, create_edge("hall"), create_edge("hall-4"), report("hall", "plc", "X1")]);
    run(&mut node, vec![report("hall-4", "a", "X1"), report_asset("hall", "oven"), report("hall", "cam", "C1")]);
    assert_eq!(of_edge(&node, "hall"), ["cam", "plc", "oven"]);
    assert_eq!(of_edge(&node, "hall-4"), ["a"]);

    let before = node.view().revision();
    run(&mut node, vec![report("hall", "plc", "X2")]);
    let key = Key::DiscoveredDevice(PLANT.to_owned(), "hall".to_owned(), "plc".to_owned());
    let version = |revision| node.view().get_at(&key, revision).unwrap().map(|record| record.version());
    assert_eq!((version(before), version(before + 1)), (Some(1), Some(2)), "told as it was");
    let range = ListRange::DiscoveredDevices { namespace: PLANT, edge: None };
    let first = node.view().list(range, before, None, 2, |_, _| true).await.unwrap();
    let rest = node.view().list(range, before, first.next_after.as_deref(), 9, |_, _| true).await.unwrap();
    let names: Vec<String> = first
        .records
        .iter()
        .chain(&rest.records)
        .filter_map(|(id, _)| range.discovered(id))
        .map(|key| key.to_string())
        .collect();
    let name = |edge: &str, id: &str| format!("namespaces/{PLANT}/edges/{edge}/discoveredDevices/{id}");
    assert_eq!(names, [name("hall", "cam"), name("hall", "plc"), name("hall-4", "a")], "by edge, then by id");

    // What the same batch brought goes as well, and what it brings afterwards is of the next edge of that id.
    let batch =
        vec![report("hall", "new", "X1"), delete_edge("hall"), create_edge("hall"), report("hall", "plc", "X3")];
    run(&mut node, batch);
    node.reopen();
    assert_eq!((of_edge(&node, "hall"), of_edge(&node, "hall-4")), (vec!["plc".to_owned()], vec!["a".to_owned()]));
    let force = Operation::DeleteNamespace { namespace: PLANT.to_owned(), etag: None, force: true };
    run(&mut node, vec![force]);
    assert_eq!(of_edge(&node, "hall"), Vec::<String>::new());
    assert!(node.view().get(&Key::Namespace(PLANT.to_owned())).unwrap().is_none_or(|record| !record.is_alive()));
}
