//! `[mqtt]` and `[folder]`: where bridges lead.

use std::path::PathBuf;

use muster_domain::Key;
use serde::{Deserialize, Serialize};

use super::ConfigError;

/// Levels of a prefix take this many bytes at most.
const PREFIX_BYTES_MAX: usize = 256;

/// `[mqtt]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mqtt {
    /// `mqtt://HOST:PORT` or `mqtts://HOST:PORT`; the bridge is off without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broker: Option<String>,
    /// The client id, and with it the broker's session; one is made of the edge's name otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The first levels of all topics.
    pub prefix: String,
    /// Who the agent is to the broker; goes with `password_file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// A file with the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// The authority of the broker's certificate; needed with mqtts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// The agent's certificate at the broker; goes with `key_file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_file: Option<PathBuf>,
    /// Its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// Seconds of silence after which the broker is asked whether it is there.
    pub keep_alive_s: u16,
}

/// `[folder]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Folder {
    /// Where the files lie; the bridge is off without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// What they hold.
    pub format: FileFormat,
}

/// What a file holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    /// JSON.
    #[default]
    Json,
    /// YAML.
    Yaml,
}

impl Default for Mqtt {
    fn default() -> Self {
        Self {
            broker: None,
            client_id: None,
            prefix: "muster".to_owned(),
            username: None,
            password_file: None,
            ca_file: None,
            cert_file: None,
            key_file: None,
            keep_alive_s: 30,
        }
    }
}

/// Where a broker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broker {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) is_tls: bool,
}

impl Mqtt {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |key, rule: &str| Err(ConfigError::Value { key, rule: rule.to_owned() });
        let Some(broker) = &self.broker else { return Ok(()) };
        let Some(broker) = parse(broker) else {
            return wrong("mqtt.broker", "must be mqtt://HOST:PORT or mqtts://HOST:PORT");
        };
        if !is_prefix(&self.prefix) {
            let rule = "must be levels of a topic such as `site/muster`: none empty, no + # or control characters, no $ in front";
            return wrong("mqtt.prefix", rule);
        }
        if self.client_id.as_ref().is_some_and(|id| id.is_empty() || id.len() > 128) {
            return wrong("mqtt.client_id", "must have 1 to 128 bytes: a session is found again by it");
        }
        if self.username.is_some() != self.password_file.is_some() {
            return wrong("mqtt.username", "goes with mqtt.password_file");
        }
        if self.cert_file.is_some() != self.key_file.is_some() {
            return wrong("mqtt.cert_file", "goes with mqtt.key_file");
        }
        if broker.is_tls != self.ca_file.is_some() {
            return wrong("mqtt.ca_file", "goes with a broker behind mqtts://");
        }
        if !broker.is_tls && self.cert_file.is_some() {
            return wrong("mqtt.cert_file", "goes with a broker behind mqtts://");
        }
        if !(5..=3_600).contains(&self.keep_alive_s) {
            return wrong("mqtt.keep_alive_s", "must be 5 to 3600 seconds");
        }
        Ok(())
    }

    pub(super) fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        [&mut self.password_file, &mut self.ca_file, &mut self.cert_file, &mut self.key_file].into_iter().flatten()
    }

    /// Where the broker is; `None` when the bridge is off.
    pub(crate) fn broker(&self) -> Option<Broker> {
        self.broker.as_deref().and_then(parse)
    }

    /// The client id of this edge.
    pub(crate) fn client_id(&self, edge: &str) -> String {
        self.client_id.clone().unwrap_or_else(|| match Key::parse(edge) {
            Some(Key::Edge(namespace, edge)) => format!("muster-edge.{namespace}.{edge}"),
            _ => "muster-edge".to_owned(),
        })
    }
}

fn parse(address: &str) -> Option<Broker> {
    let (rest, is_tls) = match address.strip_prefix("mqtts://") {
        Some(rest) => (rest, true),
        None => (address.strip_prefix("mqtt://")?, false),
    };
    let (host, port) = rest.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let is_host = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte));
    is_host.then(|| Broker { host: host.to_owned(), port, is_tls })
}

fn is_prefix(prefix: &str) -> bool {
    prefix.len() <= PREFIX_BYTES_MAX
        && !prefix.starts_with('$')
        && prefix.split('/').all(|level| !level.is_empty())
        && prefix.chars().all(|c| c != '+' && c != '#' && !c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_are_named_by_host_and_port() {
        let broker = |host: &str, port, is_tls| Some(Broker { host: host.to_owned(), port, is_tls });
        assert_eq!(parse("mqtt://127.0.0.1:1883"), broker("127.0.0.1", 1883, false));
        assert_eq!(parse("mqtts://broker.plant:8883"), broker("broker.plant", 8883, true));
        assert_eq!(parse("mqtt://[::1]:1883"), broker("::1", 1883, false));
        for wrong in ["127.0.0.1:1883", "mqtt://host", "mqtt://:1", "mqtt://h:0", "mqtt://h:70000", "mqtt://u@h:1"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_cannot_work_names_its_key() {
        let refused = |change: &dyn Fn(&mut Mqtt)| {
            let mut mqtt = Mqtt { broker: Some("mqtt://h:1".to_owned()), ..Mqtt::default() };
            mqtt.check().expect("it works");
            change(&mut mqtt);
            mqtt.check().expect_err("cannot work").to_string()
        };
        for prefix in ["", "/a", "a/", "a//b", "a/+", "#", "$share/x", "a\u{0}"] {
            assert!(refused(&|mqtt| mqtt.prefix = prefix.to_owned()).starts_with("mqtt.prefix"), "{prefix}");
        }
        assert!(refused(&|mqtt| mqtt.client_id = Some(String::new())).starts_with("mqtt.client_id"));
        assert!(refused(&|mqtt| mqtt.username = Some("u".to_owned())).starts_with("mqtt.username"));
        assert!(refused(&|mqtt| mqtt.key_file = Some("k".into())).starts_with("mqtt.cert_file"));
        assert!(refused(&|mqtt| mqtt.ca_file = Some("c".into())).starts_with("mqtt.ca_file"));
        assert!(refused(&|mqtt| mqtt.broker = Some("mqtts://h:1".to_owned())).starts_with("mqtt.ca_file"));
        assert!(refused(&|mqtt| mqtt.keep_alive_s = 0).starts_with("mqtt.keep_alive_s"));
    }
}
