//! Topics and what they are about. It knows no messages.
//!
//! ```text
//!   {prefix}/devices/{device}[/modules/{module}]/twin/desired            out, retained
//!   {prefix}/assets/{asset}/definition                                   out, retained
//!   {prefix}/devices/{device}[/modules/{module}]/twin/reported/patch     in     answers: …/twin/reported/result
//!   {prefix}/assets/{asset}/status                                       in     answers: …/status/result
//!   {prefix}/bridge/owner, {prefix}/bridge/fence                         the bridge's own
//! ```
//!
//! - An id is one level; what may not stand in a topic (`+`, `#`) is written `%XX`. So each resource has one topic.

use muster_domain::{Key, Rejection, ids};

use super::super::escape::{escape, unescape};

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Topics {
    prefix: String,
    namespace: String,
}

/// What a topic is for.
#[derive(Debug, PartialEq)]
pub(super) enum Place {
    /// What the bridge publishes of the resource with this name.
    Out(String),
    /// Reports of the twin with this name.
    Report(Result<String, Rejection>),
    /// The status of the asset with this name.
    Status(Result<String, Rejection>),
    /// Which edge publishes here.
    Owner,
    /// How the bridge finds out that it was told of everything.
    Fence,
}

impl Topics {
    pub(super) fn new(prefix: &str, namespace: &str) -> Self {
        Self { prefix: prefix.to_owned(), namespace: namespace.to_owned() }
    }

    /// Where a resource is published; `None` for what is not.
    pub(super) fn out(&self, name: &str) -> Option<String> {
        let prefix = &self.prefix;
        match Key::parse(name)? {
            Key::DeviceTwin(_, device) => Some(format!("{prefix}/devices/{}/twin/desired", level(&device))),
            Key::ModuleTwin(_, device, module) => {
                Some(format!("{prefix}/devices/{}/modules/{}/twin/desired", level(&device), level(&module)))
            }
            Key::Asset(_, asset) => Some(format!("{prefix}/assets/{}/definition", level(&asset))),
            _ => None,
        }
    }

    pub(super) fn owner(&self) -> String {
        format!("{}/bridge/owner", self.prefix)
    }

    pub(super) fn fence(&self) -> String {
        format!("{}/bridge/fence", self.prefix)
    }

    /// What the bridge publishes itself.
    pub(super) fn own_filters(&self) -> Vec<String> {
        let of = |rest: &str| format!("{}/{rest}", self.prefix);
        vec![
            of("devices/+/twin/desired"),
            of("devices/+/modules/+/twin/desired"),
            of("assets/+/definition"),
            self.owner(),
        ]
    }

    /// What others tell it.
    pub(super) fn in_filters(&self) -> Vec<String> {
        let of = |rest: &str| format!("{}/{rest}", self.prefix);
        vec![of("devices/+/twin/reported/patch"), of("devices/+/modules/+/twin/reported/patch"), of("assets/+/status")]
    }

    /// What a topic is for; `None` for all others.
    pub(super) fn place(&self, topic: &str) -> Option<Place> {
        let rest = topic.strip_prefix(&self.prefix)?.strip_prefix('/')?;
        let twin = |device: &str, module: Option<&str>| self.twin(device, module);
        match rest.split('/').collect::<Vec<_>>().as_slice() {
            ["devices", device, "twin", "desired"] => twin(device, None).ok().map(Place::Out),
            ["devices", device, "modules", module, "twin", "desired"] => {
                twin(device, Some(module)).ok().map(Place::Out)
            }
            ["assets", asset, "definition"] => self.asset(asset).ok().map(Place::Out),
            ["devices", device, "twin", "reported", "patch"] => Some(Place::Report(twin(device, None))),
            ["devices", device, "modules", module, "twin", "reported", "patch"] => {
                Some(Place::Report(twin(device, Some(module))))
            }
            ["assets", asset, "status"] => Some(Place::Status(self.asset(asset))),
            ["bridge", "owner"] => Some(Place::Owner),
            ["bridge", "fence"] => Some(Place::Fence),
            _ => None,
        }
    }

    /// Where what came in on a topic is answered, unless it asks for another one.
    pub(super) fn result(topic: &str) -> String {
        format!("{}/result", topic.strip_suffix("/patch").unwrap_or(topic))
    }

    /// Whether answers may go to a topic that somebody asks for: not into what other parts of the tree mean.
    pub(super) fn may_answer_to(&self, topic: &str) -> bool {
        let is_ours = topic.strip_prefix(&self.prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let is_result = topic.ends_with("/result");
        !topic.is_empty() && !topic.starts_with('$') && !topic.contains(['+', '#', '\0']) && (!is_ours || is_result)
    }

    fn twin(&self, device: &str, module: Option<&str>) -> Result<String, Rejection> {
        let device = id("device", device)?;
        ids::check_device("device", &device)?;
        let twin = match module {
            None => Key::DeviceTwin(self.namespace.clone(), device),
            Some(module) => {
                let module = id("module", module)?;
                ids::check_device("module", &module)?;
                Key::ModuleTwin(self.namespace.clone(), device, module)
            }
        };
        Ok(twin.to_string())
    }

    fn asset(&self, asset: &str) -> Result<String, Rejection> {
        let asset = id("asset", asset)?;
        ids::check_asset("asset", &asset)?;
        Ok(Key::Asset(self.namespace.clone(), asset).to_string())
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii() && !byte.is_ascii_control() && !b"+#/".contains(&byte)
}

fn level(id: &str) -> String {
    escape(id, is_plain)
}

fn id(field: &str, level: &str) -> Result<String, Rejection> {
    unescape(level, is_plain).ok_or_else(|| {
        let message =
            format!("the topic's {field} `{level}` is not spelled as an id is: + # and % are written %2B %23 %25");
        Rejection::new(muster_domain::Reason::InvalidId, field, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics() -> Topics {
        Topics::new("site/muster", "plant1")
    }

    fn place(rest: &str) -> Option<Place> {
        topics().place(&format!("site/muster/{rest}"))
    }

    #[test]
    fn each_resource_has_one_topic() {
        for (name, topic) in [
            ("devices/pump-7/twin", "devices/pump-7/twin/desired"),
            ("devices/a+b#c%/twin", "devices/a%2Bb%23c%25/twin/desired"),
            ("devices/$a/modules/m:1/twin", "devices/$a/modules/m:1/twin/desired"),
            ("assets/press-1", "assets/press-1/definition"),
        ] {
            let name = format!("namespaces/plant1/{name}");
            assert_eq!(topics().out(&name), Some(format!("site/muster/{topic}")));
            assert_eq!(place(topic), Some(Place::Out(name)));
        }
        assert_eq!(topics().out("namespaces/plant1/devices/pump-7"), None);
    }

    #[test]
    fn what_comes_in_names_a_resource_or_what_is_wrong() {
        let twin = "namespaces/plant1/devices/pump-7/modules/m/twin".to_owned();
        assert_eq!(place("devices/pump-7/modules/m/twin/reported/patch"), Some(Place::Report(Ok(twin))));
        let asset = "namespaces/plant1/assets/press-1".to_owned();
        assert_eq!(place("assets/press-1/status"), Some(Place::Status(Ok(asset))));
        for (topic, field) in [
            ("devices/a b/twin/reported/patch", "device"),
            ("devices/a%41/twin/reported/patch", "device"),
            ("devices//twin/reported/patch", "device"),
            ("devices/a/modules/ä/twin/reported/patch", "module"),
        ] {
            let Some(Place::Report(Err(rejection))) = place(topic) else { panic!("{topic}") };
            assert_eq!(rejection.field, field, "{topic}");
        }
        let Some(Place::Status(Err(rejection))) = place("assets/A/status") else { panic!("an asset") };
        assert_eq!(rejection.field, "asset");
        for other in ["devices/a/twin/reported", "devices/a/twin", "bridge", "assets/a/status/result"] {
            assert_eq!(place(other), None, "{other}");
        }
        assert_eq!(topics().place("site/mustering/bridge/owner"), None);
    }

    #[test]
    fn answers_go_beside_the_question_and_into_no_other_place() {
        assert_eq!(Topics::result("m/devices/a/twin/reported/patch"), "m/devices/a/twin/reported/result");
        assert_eq!(Topics::result("m/assets/a/status"), "m/assets/a/status/result");
        let topics = topics();
        for good in ["app/answers", "site/muster2/x", "site/muster/devices/a/twin/reported/result"] {
            assert!(topics.may_answer_to(good), "{good}");
        }
        for bad in ["", "a/+", "#", "$SYS/x", "site/muster", "site/muster/devices/a/twin/desired"] {
            assert!(!topics.may_answer_to(bad), "{bad}");
        }
    }
}
