//! A session that acts, on the screen.

use color_eyre::eyre::Result;

use super::asked::Asked;
use crate::documents;
use crate::engine::{Intent, Refusal};
use crate::model::prompt::{Prompt, Reply};
use crate::model::{State, TaskId};
use crate::runner::Runner;
use crate::ui::usual::Usual;
use crate::ui::{Playback, Source};

/// A runner as the screen sees it. A journal that cannot be written ends the session.
pub(super) struct Acting<'r, F> {
    /// What acts.
    pub(super) runner: &'r mut Runner,
    /// Told of every new state.
    pub(super) followed: F,
    /// What connections ask for meanwhile.
    pub(super) asked: Asked,
}

impl<F: FnMut(&State)> Source for Acting<'_, F> {
    fn state(&self) -> &State {
        self.runner.state()
    }

    fn now(&self) -> jiff::Timestamp {
        self.runner.now()
    }

    fn submit(&mut self, intent: Intent) -> Result<Result<(), Refusal>> {
        Ok(self.runner.submit(&intent)?)
    }

    fn edit(&mut self, task: TaskId, path: &str, text: &str) -> Result<Result<(), String>> {
        let planned = self.runner.state().task(task).map(|(task, _, _)| task);
        let Some(file) = planned.and_then(|task| task.pushes.iter().find(|push| push.path == path)) else {
            return Ok(Err(format!("this task does not write {path}")));
        };
        match documents::plan::edited(file, text) {
            Ok(file) => {
                let answer = self.runner.submit(&Intent::EditPush { task, file: Box::new(file) })?;
                Ok(answer.map_err(|refusal| refusal.to_string()))
            }
            Err(problems) => Ok(Err(problems.to_string())),
        }
    }

    fn set(&mut self, task: TaskId, name: &str, value: &str, reason: &str) -> Result<Result<(), String>> {
        if let Some(Err(wrong)) =
            self.runner.state().plan.as_ref().map(|plan| documents::plan::check_value(plan, name, value))
        {
            return Ok(Err(wrong));
        }
        let (name, value, reason) = (name.to_owned(), value.to_owned(), reason.to_owned());
        let answer = self.runner.submit(&Intent::SetVar { task, name, value, reason })?;
        Ok(answer.map_err(|refusal| refusal.to_string()))
    }

    async fn changed(&mut self) -> Result<()> {
        tokio::select! {
            changed = self.runner.changed() => changed?,
            () = self.asked.more() => return Ok(()),
        }
        (self.followed)(self.runner.state());
        Ok(())
    }

    fn trouble(&self) -> Option<String> {
        self.runner.trouble()
    }

    fn usual(&self) -> Usual {
        super::usual::load()
    }

    fn asks(&self) -> Option<&Prompt> {
        self.asked.first()
    }

    fn answer(&mut self, reply: Reply) {
        self.asked.answer(reply);
    }

    fn playback(&mut self) -> Option<&mut dyn Playback> {
        None
    }
}
