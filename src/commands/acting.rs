//! A session that acts, on the screen.

use color_eyre::eyre::Result;

use crate::engine::{Intent, Refusal};
use crate::model::State;
use crate::runner::Runner;
use crate::ui::{Playback, Source};

/// A runner as the screen sees it. A journal that cannot be written ends the session: the error is kept for the end.
pub(super) struct Acting<'r>(pub(super) &'r mut Runner);

impl Source for Acting<'_> {
    fn state(&self) -> &State {
        self.0.state()
    }

    fn now(&self) -> jiff::Timestamp {
        self.0.now()
    }

    fn submit(&mut self, intent: Intent) -> Result<Result<(), Refusal>> {
        Ok(self.0.submit(&intent)?)
    }

    async fn changed(&mut self) -> Result<()> {
        Ok(self.0.changed().await?)
    }

    fn playback(&mut self) -> Option<&mut dyn Playback> {
        None
    }
}
