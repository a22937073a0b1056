//! The link to the cluster is down, the agent is killed: what a device on MQTT was told holds.

use futures::future::try_join_all;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_device_on_mqtt_is_told_and_reports_over_an_outage_of_the_link() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let plant = Plant::new(3, "").await?;
    let id = device(1);
    let mqtt = plant.broker.client("pump", &[&desired(&id), &result(&id)]).await?;

    plant.want(&id, r#"{"fw":"2"}"#).await?;
    let told = mqtt.heard_that(&desired(&id), |heard| heard.payload.contains("fw")).await?;
    assert_eq!(told.json()?, json!({"$version": 2, "fw": "2"}));
    mqtt.publish(&patch(&id), report(0)).await?;
    assert_eq!(mqtt.heard(&result(&id)).await?.json()?, json!({"accepted": true, "version": 2}));
    plant.check_once(&id, &[0]).await?;

    plant.wire.cut();
    plant.offline().await?;
    plant.want(&id, r#"{"fw":"3"}"#).await?;
    for number in 1..30 {
        mqtt.publish(&patch(&id), report(number)).await?;
    }
    let answers = mqtt.heard_many(&result(&id), 30).await?;
    assert!(answers.iter().all(is_accepted), "{answers:?}");
    let status = plant.agent.status().await?;
    // It goes on trying: it may just be "opening".
    assert!(matches!(status["link"].as_str(), Some("offline" | "opening")), "{status}");
    assert_eq!(status["queued_operations"].as_u64(), Some(29), "{status}");
    let there = super::super::twin(&plant.client, &id).await?;
    assert_eq!(there.reported.context("reported")?.version, 2, "nothing gets through");

    plant.wire.mend();
    plant.check_once(&id, &(0..30).collect::<Vec<_>>()).await?;
    mqtt.heard_that(&desired(&id), |heard| heard.payload.contains(r#""fw":"3""#)).await?;
    let mqtt = plant.mqtt().await?;
    assert_eq!((mqtt["received"].as_u64(), mqtt["refused"].as_u64()), (Some(30), Some(0)), "{mqtt}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_killed_loses_nothing_that_the_broker_has() -> anyhow::Result<()> {
    let _turn = crate::turn().await;
    let mut plant = Plant::new(4, "").await?;
    let mqtt = plant.broker.client("pump", &["muster/devices/+/twin/reported/result"]).await?;
    plant.wire.cut();
    plant.offline().await?;
    let mut told: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let (rounds, alive, dead) = (6, 60, 5);
    let owner = |number: u64| device(usize::try_from(number % 4).expect("small"));
    for round in 0..rounds {
        let before = mqtt.messages().len();
        let first = round * (alive + dead);
        let publish = async |numbers: std::ops::Range<u64>| {
            let messages = numbers.map(|number| (patch(&owner(number)), report(number)));
            let messages = messages.map(|(topic, text)| async { mqtt.publish(&{ topic }, text).await });
            try_join_all(messages).await
        };
        publish(first..first + alive).await?;
        // Messages are on their way into the queue, and answers out of it, when it dies.
        let wanted = before + usize::try_from(round * 8 + 1)?;
        eventually("some are answered", PATIENCE, async || {
            let answered = mqtt.messages().len();
            if answered >= wanted { Ok(()) } else { Err(format!("{answered} of {wanted}")) }
        })
        .await?;
        plant.agent.kill().await?;
        publish(first + alive..first + alive + dead).await?;
        plant.agent.start().await?;
        for number in first..first + alive + dead {
            told.entry(owner(number)).or_default().push(number);
        }
    }
    plant.wire.mend();
    plant.mqtt_that("everything is answered", |mqtt| mqtt["connected"] == true && mqtt["waiting"] == 0).await?;
    eventually("each has an answer", PATIENCE, async || {
        let answers = mqtt.messages().len();
        if answers as u64 >= rounds * (alive + dead) { Ok(()) } else { Err(format!("{answers}")) }
    })
    .await?;
    assert!(mqtt.messages().iter().all(is_accepted), "{:?}", mqtt.messages());
    for (id, told) in told {
        plant.check_once(&id, &told).await?;
    }
    Ok(())
}
