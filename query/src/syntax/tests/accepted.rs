//! Queries that are valid, and what they become.

use crate::syntax::{Limits, parse, parse_condition, print, print_condition};

fn canonical(text: &str) -> String {
    let select = parse(text, &Limits::default()).unwrap_or_else(|error| panic!("{text}\n{error:?}"));
    let printed = print(&select);
    let again = parse(&printed, &Limits::default()).unwrap_or_else(|error| panic!("{printed}\n{error:?}"));
    assert_eq!(print(&again), printed);
    printed
}

fn condition(text: &str) -> String {
    let expr = parse_condition(text, &Limits::default()).unwrap_or_else(|error| panic!("{text}\n{error:?}"));
    let printed = print_condition(&expr);
    let again = parse_condition(&printed, &Limits::default()).unwrap_or_else(|error| panic!("{printed}\n{error:?}"));
    assert_eq!(print_condition(&again), printed);
    printed
}

/// From the documentation and the samples of IoT Hub.
#[test]
fn queries_of_iot_hub_parse() {
    for text in [
        "SELECT * FROM devices",
        "select * from devices where tags.location.region = 'US'",
        "SELECT * FROM devices WHERE tags.location.region = 'US' AND properties.reported.telemetryConfig.sendFrequencyInSecs >= 60",
        "SELECT * FROM devices WHERE properties.reported.connectivity IN ['wired', 'wifi']",
        "SELECT * FROM devices WHERE properties.reported.connectivity NIN [\"wired\", \"wifi\"]",
        "SELECT * FROM devices WHERE is_defined(properties.reported.connectivity)",
        "SELECT * FROM devices WHERE is_defined(property_name)",
        "SELECT COUNT() AS totalNumberOfDevices FROM devices",
        "SELECT properties.reported.telemetryConfig.status AS status,\n    COUNT() AS numberOfDevices\n  FROM devices\n  GROUP BY properties.reported.telemetryConfig.status",
        "SELECT LastActivityTime FROM devices WHERE status = 'enabled'",
        "SELECT DeviceId, LastActivityTime FROM devices WHERE connectionState='Connected'",
        "SELECT deviceId, lastActivityTime AS at FROM devices WHERE status = 'enabled' AND connectionState = 'Connected'",
        "SELECT TOP 5 deviceId FROM devices",
        "SELECT * FROM devices.modules",
        "SELECT * FROM devices.modules WHERE properties.reported.status = 'scanning'",
        "SELECT * FROM devices.modules WHERE properties.reported.status = 'scanning' AND deviceId IN ['device1', 'device2']",
        "SELECT * FROM devices.jobs WHERE devices.jobs.deviceId = 'myDeviceId'",
        "SELECT * FROM devices.jobs WHERE devices.jobs.jobType = 'scheduleUpdateTwin' AND devices.jobs.status = 'completed' AND devices.jobs.createdTimeUtc > '2016-09-01'",
        "select deviceId from devices.modules where moduleId='$edgeAgent' and configurations.[[c12]].status='Applied'",
        "SELECT deviceId FROM devices.modules WHERE moduleId = '$edgeAgent' AND properties.desired.$version = properties.reported.lastDesiredVersion AND properties.reported.lastDesiredStatus.code = 200",
        "SELECT * FROM devices WHERE configurations.[[my-config]].status = 'Applied'",
        "SELECT * FROM devices WHERE capabilities.iotEdge = true",
        "SELECT * FROM devices WHERE STARTSWITH(deviceId, 'edge') AND NOT (tags.[[group]] = null OR tags.a <> 0x1F)",
        "SELECT AVG(properties.reported.t) AS a, SUM(properties.reported.t) AS s, MIN(properties.reported.t), MAX(properties.reported.t) FROM devices",
        "SELECT * FROM devices WHERE tags.order = 1 AND tags.any = 2 AND tags.time = 3 AND tags.like = 'x' AND tags.2nd = 4",
    ] {
        canonical(text);
    }
    assert_eq!(condition("tags.building = 'b' AND deviceId IN ['a']"), "tags.building = 'b' AND deviceId IN ['a']");
}
