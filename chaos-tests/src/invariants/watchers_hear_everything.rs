//! W1, W2, W4, W5 and W6, promise 5 "watchers miss nothing": over all its streams a watcher hears each event of the log once, in
//! order, with its content, and progress is told only when nothing older comes any more.
//!
//! Source: etcd's guarantees of watch (ordered, unique, reliable, resumable, bookmarkable) and the bugs against them: #15220
//! (progress ahead of events), #15271 (back in time), #17247 (twice), #17529 (lost when slow), #20221 (old ones).

use anyhow::ensure;

/// An event as it was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// Its revision.
    pub revision: u64,
    /// Its place within the revision.
    pub index: u32,
    /// A hash of everything it says.
    pub content: u64,
}

/// What one watcher was told, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// An event.
    Event(Heard),
    /// Everything up to this revision was sent.
    Progress(u64),
}

/// Compares what a watcher heard from its first revision on with the log; returns how many events.
///
/// # Errors
/// Names the first event that is missing, out of order, different, or too late.
pub fn check(messages: &[Message], log: &[Heard]) -> anyhow::Result<u64> {
    let (mut expected, mut heard, mut promised) = (log.iter(), 0, 0);
    for message in messages {
        match message {
            Message::Progress(revision) => promised = promised.max(*revision),
            Message::Event(event) => {
                ensure!(event.revision > promised, "W6: {event:?} came after progress {promised}");
                let next = expected.next();
                ensure!(next == Some(event), "W1 to W5: heard {event:?} where the log has {next:?}");
                heard += 1;
            }
        }
    }
    let missing = expected.next();
    ensure!(missing.is_none(), "W4: never heard {missing:?}, the last of {} events was missing", log.len());
    Ok(heard)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(revision: u64) -> Heard {
        Heard { revision, index: 0, content: revision * 31 }
    }

    fn says(messages: &[Message]) -> Result<u64, String> {
        check(messages, &[event(1), event(2), event(4)]).map_err(|error| error.to_string())
    }

    #[test]
    fn each_way_to_be_wrong_is_noticed() {
        let [one, two, four] = [1, 2, 4].map(event).map(Message::Event);
        assert_eq!(says(&[one, two, Message::Progress(3), four]), Ok(3));
        assert!(says(&[one, two]).is_err_and(|error| error.contains("W4")), "lost at the end");
        assert!(says(&[one, four]).is_err(), "lost in the middle");
        assert!(says(&[one, two, two, four]).is_err(), "twice");
        assert!(says(&[two, one, four]).is_err(), "out of order");
        let other = Message::Event(Heard { content: 0, ..event(2) });
        assert!(says(&[one, other, four]).is_err(), "another content");
        assert!(says(&[one, Message::Progress(2), two, four]).is_err_and(|error| error.contains("W6")));
    }
}
