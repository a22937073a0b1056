//! What comes in: answered where it was asked for, refused with a reason, held back while there is no room.

use std::fmt::Write;

use rumqttc::PublishProperties;

use super::*;

fn properties(user: &[(&str, &str)]) -> PublishProperties {
    PublishProperties {
        user_properties: user.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        ..PublishProperties::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_go_where_they_are_asked_for_and_request_ids_count_once() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let plant = Plant::new(1, "").await?;
    let id = device(0);
    let mqtt = plant.broker.client("app", &["answers/app", "muster/#"]).await?;
    let asking = |user: &[(&str, &str)], correlation: &str, topic: &str| PublishProperties {
        response_topic: Some(topic.to_owned()),
        correlation_data: Some(correlation.to_owned().into()),
        ..properties(user)
    };
    mqtt.ask(&patch(&id), &report(0), asking(&[("request-id", "r0")], "c0", "answers/app")).await?;
    let answer = mqtt.heard("answers/app").await?;
    assert_eq!((answer.json()?, answer.correlation.as_deref()), (json!({"accepted": true, "version": 2}), Some("c0")));
    mqtt.ask(&patch(&id), &report(0), asking(&[("request-id", "r0")], "c1", "answers/app")).await?;
    let answer = mqtt.heard_that("answers/app", |heard| heard.correlation.as_deref() == Some("c1")).await?;
    assert_eq!(answer.json()?, json!({"accepted": true, "version": 2}), "a repeated request has one effect");
    mqtt.ask(&patch(&id), &report(1), asking(&[("expected-version", "1")], "c2", "answers/app")).await?;
    let answer = mqtt.heard_that("answers/app", |heard| heard.correlation.as_deref() == Some("c2")).await?.json()?;
    assert_eq!(answer["accepted"], false, "{answer}");
    // An answer is not for sale as somebody's desired properties.
    mqtt.ask(&patch(&id), &report(2), asking(&[], "c3", &desired("victim"))).await?;
    assert_eq!(mqtt.heard(&result(&id)).await?.correlation.as_deref(), Some("c3"));
    assert_eq!(mqtt.on(&desired("victim")), []);
    plant.check_once(&id, &[0, 2]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_messages_are_answered_once_and_change_nothing() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let mut plant = Plant::new(1, "").await?;
    let id = device(0);
    let mut deep = "1".to_owned();
    for _ in 0..12 {
        deep = format!(r#"{{"a":{deep}}}"#);
    }
    let mut wide = String::from("{");
    for number in 0..40 {
        write!(wide, r#"{}"k{number}":"{}""#, if number == 0 { "" } else { "," }, "x".repeat(1_000))?;
    }
    wide.push('}');
    let status = "muster/assets/press-1/status".to_owned();
    let cases: Vec<(String, Vec<u8>, &str, &str)> = vec![
        (patch(&id), b"{".to_vec(), "INVALID_JSON", "reported_json"),
        (patch(&id), b"[1]".to_vec(), "", "reported_json"),
        (patch(&id), b"\xff\xfe".to_vec(), "INVALID_JSON", "payload"),
        (patch(&id), b"".to_vec(), "", "reported_json"),
        (patch(&id), deep.into_bytes(), "", "reported"),
        (patch(&id), wide.into_bytes(), "TOO_LARGE", "reported"),
        (patch(&id), vec![b' '; 3 << 20], "TOO_LARGE", "payload"),
        (patch("elsewhere"), b"{}".to_vec(), "NOT_FOUND", "name"),
        (patch("a b"), b"{}".to_vec(), "INVALID_ID", "device"),
        (patch(&"x".repeat(129)), b"{}".to_vec(), "INVALID_ID", "device"),
        ("muster/devices/a/modules/m/twin/reported/patch".to_owned(), b"{}".to_vec(), "NOT_FOUND", "name"),
        (status.clone(), b"null".to_vec(), "INVALID_FIELD", "status"),
        (status.clone(), br#"{"config":{"version":-1}}"#.to_vec(), "INVALID_FIELD", "status.config.version"),
        (status, b"{}".to_vec(), "NOT_FOUND", "name"),
    ];
    let mqtt = plant.broker.client("bad", &["muster/+/+/twin/reported/result", "muster/#"]).await?;
    for (at, (topic, payload, reason, field)) in cases.iter().enumerate() {
        mqtt.clear();
        mqtt.publish(topic, payload.clone()).await?;
        let answers = format!("{}/result", topic.strip_suffix("/patch").unwrap_or(topic));
        let answer = mqtt.heard(&answers).await?.json()?;
        assert_eq!(answer["accepted"], false, "case {at}: {answer}");
        let told = answer["field"].as_str().unwrap_or_default();
        assert!(told.starts_with(field), "case {at}: {answer}");
        assert!(reason.is_empty() || answer["reason"] == *reason, "case {at}: {answer}");
        assert!(answer["message"].as_str().is_some_and(|message| !message.is_empty()), "case {at}: {answer}");
    }
    let counted = cases.len() as u64;
    let mqtt = plant.mqtt_that("all are acknowledged", |mqtt| mqtt["waiting"] == 0).await?;
    assert_eq!((mqtt["received"].as_u64(), mqtt["refused"].as_u64()), (Some(counted), Some(counted)), "{mqtt}");
    let status = plant.agent.status().await?;
    assert_eq!(status["newest_sequence"], 0, "nothing was queued: {status}");
    plant.agent.kill().await?;
    plant.agent.start().await?;
    plant.bridged().await?;
    let listener = plant.broker.client("good", &[&result(&id)]).await?;
    listener.publish(&patch(&id), report(0)).await?;
    listener.heard_that(&result(&id), is_accepted).await?;
    let mqtt = plant.mqtt().await?;
    assert_eq!(mqtt["received"], 1, "none of them comes again: {mqtt}");
    plant.check_once(&id, &[0]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_would_be_larger_than_the_broker_takes_ends_nothing() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let plant = Plant::beside(1, "", "max_packet_size 70000\n").await?;
    let id = device(0);
    let mqtt = plant.broker.client("app", &["muster/+/+/twin/reported/result"]).await?;
    // Each as JSON takes two bytes.
    let quotes = "\"".repeat(60_000);
    mqtt.ask(&patch(&id), "{}", properties(&[("expected-version", &quotes)])).await?;
    let answer = mqtt.heard_that(&result(&id), |heard| !is_accepted(heard)).await?.json()?;
    assert_eq!(
        (answer["reason"].as_str(), answer["field"].as_str()),
        (Some("INVALID_FIELD"), Some("expected-version"))
    );
    // With it no answer fits; the message is done with all the same.
    let asked = PublishProperties { correlation_data: Some(vec![1; 65_500].into()), ..PublishProperties::default() };
    mqtt.ask(&patch(&"x".repeat(4_000)), "{}", asked).await?;
    mqtt.publish(&patch(&id), report(0)).await?;
    mqtt.heard_that(&result(&id), is_accepted).await?;
    let status = plant.mqtt_that("nothing waits", |mqtt| mqtt["waiting"] == 0).await?;
    assert_eq!((status["connections"].as_u64(), status["received"].as_u64()), (Some(1), Some(3)), "{status}");
    plant.check_once(&id, &[0]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_holds_messages_back_and_loses_none() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let mut plant = Plant::new(2, "[queue]\noperations_max = 5\n").await?;
    let mqtt = plant.broker.client("pump", &["muster/+/+/twin/reported/result"]).await?;
    plant.wire.cut();
    plant.offline().await?;
    // More than the bridge takes at a time: the rest waits at the broker.
    let told: Vec<u64> = (0..100).collect();
    for number in &told {
        let id = device(usize::try_from(number % 2)?);
        mqtt.publish(&patch(&id), report(*number)).await?;
    }
    let status = plant.mqtt_that("some wait", |mqtt| mqtt["waiting"].as_u64() >= Some(20)).await?;
    assert_eq!(status["refused"], 0, "{status}");
    eventually("what has room is answered", PATIENCE, async || {
        let answers = mqtt.messages().len();
        if answers >= 5 { Ok(()) } else { Err(answers.to_string()) }
    })
    .await?;
    assert_eq!(mqtt.messages().len(), 5, "{:?}", mqtt.messages());
    plant.agent.kill().await?;
    plant.agent.start().await?;
    plant.wire.mend();
    eventually("everything is accepted", PATIENCE, async || {
        let answers = mqtt.messages().len();
        if answers >= 100 { Ok(()) } else { Err(answers.to_string()) }
    })
    .await?;
    assert!(mqtt.messages().iter().all(is_accepted), "{:?}", mqtt.messages());
    for parity in [0, 1] {
        let own: Vec<u64> = told.iter().copied().filter(|number| number % 2 == parity).collect();
        plant.check_once(&device(usize::try_from(parity)?), &own).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn large_messages_that_may_be_lost_are_lost_rather_than_the_connection() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let plant = Plant::new(1, "[queue]\noperations_max = 1\n").await?;
    let id = device(0);
    let mqtt = plant.broker.client("pump", &["muster/+/+/twin/reported/result"]).await?;
    plant.wire.cut();
    plant.offline().await?;
    // The second one waits for room, and with it everything behind.
    for number in 0..2 {
        mqtt.publish(&patch(&id), report(number)).await?;
    }
    plant.mqtt_that("one waits", |mqtt| mqtt["waiting"] == 1).await?;
    let (large, sent) = (vec![b' '; 2 << 20], 48);
    for _ in 0..sent {
        mqtt.publish_once(&patch(&id), large.clone()).await?;
    }
    let status = plant.mqtt_that("all came", |mqtt| mqtt["received"].as_u64() >= Some(2 + sent)).await?;
    assert_eq!(status["connections"], 1, "{status}");
    plant.wire.mend();
    plant.mqtt_that("nothing waits", |mqtt| mqtt["waiting"] == 0).await?;
    plant.check_once(&id, &[0, 1]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asset_is_defined_and_its_status_comes_back() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let plant = Plant::new(1, "").await?;
    let endpoint = proto::InboundEndpoint {
        address: "opc.tcp://press".to_owned(),
        endpoint_type: "Microsoft.OpcUa".to_owned(),
        ..Default::default()
    };
    let endpoints = proto::Endpoints { inbound: [("opc".to_owned(), endpoint)].into(), ..Default::default() };
    let device =
        proto::Device { edge: super::super::EDGE.to_owned(), endpoints: Some(endpoints), ..Default::default() };
    let request = proto::CreateDeviceRequest {
        parent: names::namespace(NAMESPACE),
        device_id: "press".to_owned(),
        device: Some(device),
        ..Default::default()
    };
    plant.client.devices().create(request).await?;
    let definition = proto::AssetDefinition {
        device_ref: Some(proto::DeviceRef { device_name: "press".to_owned(), endpoint_name: "opc".to_owned() }),
        datasets: vec![proto::Dataset { name: "main".to_owned(), ..Default::default() }],
        model: "P-7".to_owned(),
        ..Default::default()
    };
    let request = proto::CreateAssetRequest {
        parent: names::namespace(NAMESPACE),
        asset_id: "press-1".to_owned(),
        asset: Some(proto::Asset { definition: Some(definition), ..Default::default() }),
        ..Default::default()
    };
    let mqtt = plant.broker.client("connector", &["muster/assets/#"]).await?;
    plant.client.assets().create(request).await?;
    let told = mqtt.heard("muster/assets/press-1/definition").await?.json()?;
    assert_eq!((told["model"].as_str(), told["datasets"][0]["name"].as_str()), (Some("P-7"), Some("main")), "{told}");
    let version = told["version"].as_u64().context("a version")?;
    mqtt.clear();
    let status = json!({"config": {"version": version}, "datasets": [{"name": "main", "error": {"code": "E1", "message": "m"}}]});
    mqtt.publish("muster/assets/press-1/status", status.to_string()).await?;
    let answer = mqtt.heard("muster/assets/press-1/status/result").await?.json()?;
    assert_eq!(answer, json!({"accepted": true, "configVersion": version}));
    plant.agent.in_step(super::super::newest(&plant.client).await?).await?;
    let request = proto::GetAssetRequest { name: names::asset(NAMESPACE, "press-1"), read: None };
    let there = plant.client.assets().get(request).await?.asset.and_then(|asset| asset.status).context("a status")?;
    assert_eq!((there.config_version, there.parts.len()), (version, 1), "{there:?}");
    plant.bridged().await?;
    assert_eq!(mqtt.on("muster/assets/press-1/definition"), [], "a status is no new definition");
    Ok(())
}
