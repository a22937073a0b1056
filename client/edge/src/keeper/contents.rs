//! Reading all that the store holds, beside the keeper: applications are answered meanwhile.

use super::{Job, Keeper};

impl Keeper {
    /// Begins to read; the answer comes as a job. What is read is what is committed now: the protocol changes no item until then.
    pub(super) fn read_contents(&self) {
        let Some(jobs) = self.jobs.upgrade() else { return };
        let (reader, link) = (self.reader.clone(), self.links);
        let read = move || {
            let contents = reader.contents();
            if let Err(error) = &contents {
                tracing::error!(%error, "the contents of the store cannot be read");
            }
            // An agent that stops does not want it any more.
            jobs.blocking_send(Job::Contents(link, contents.ok())).ok();
        };
        let thread = std::thread::Builder::new().name("contents".to_owned()).spawn(read);
        if let Err(error) = thread {
            tracing::error!(%error, "no thread to read the contents of the store");
        }
    }
}
