//! Inputs that nobody thought of. As a test every target plays the inputs that were kept (`__fuzz__/TARGET/corpus`), those that
//! ever made it fail and are not mended (`crashes`), and some new ones; `tests/fuzz/run.sh TARGET` looks for more, for hours.

#![allow(clippy::unwrap_used, reason = "what a test cannot do without may end it")]

mod answers;
mod documents;
mod imports;
mod mangled;
mod sessions;

/// A target: a test that is handed bytes, and so many new ones where nobody looks for more.
macro_rules! targets {
    ($($name:ident: $target:path, $new:literal;)*) => {
        $(
            #[test]
            fn $name() {
                bolero::check!().with_iterations($new).with_max_len(512).for_each(|input: &[u8]| $target(input));
            }
        )*
    };
}

targets! {
    yaml: documents::yaml, 300;
    runbook: documents::runbook, 200;
    inventory: documents::inventory, 300;
    plan: documents::plan, 100;
    condition: sessions::condition, 500;
    probe: answers::probe, 500;
    kubectl: answers::kubectl, 300;
    job: answers::job, 1000;
    journal: sessions::journal, 200;
    session: sessions::session, 60;
    ansible: imports::ansible, 300;
    ssh: imports::ssh, 300;
    config: imports::config, 200;
    cloud_config: imports::cloud_config, 300;
    keys: sessions::keys, 60;
}
