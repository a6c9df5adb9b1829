//! As whom the children run. The tests say one thing to root and another to everybody else.

use std::io::ErrorKind;
use std::process;

use fcgi_listen::{Address, Listener, Options};
use fcgi_process::{Identity, Program, Supervisor};

use crate::kit::{Watched, sleeper, status_of, supervisor};

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// User, group (real, effective, saved, of the file system) and supplementary groups.
fn ids(pid: u32) -> [String; 3] {
    ["Uid", "Gid", "Groups"].map(|field| status_of(pid, field).unwrap())
}

#[test]
fn children_run_as_another_user_without_supplementary_groups() {
    let nobody: Identity = "nobody".parse().unwrap();
    let (uid, gid) = (nobody.uid().unwrap(), nobody.gid().unwrap());
    let four = |id: u32| format!("{id} {id} {id} {id}");
    for (identity, wanted) in [
        (nobody, [four(uid), four(gid), String::new()]),
        (
            "4242:4343".parse().unwrap(),
            [four(4242), four(4343), String::new()],
        ),
    ] {
        let name = identity.to_string();
        // Anybody may stay who they are.
        let uid_is_ours = identity.uid() == Some(rustix::process::geteuid().as_raw());
        let supervisor = supervisor(sleeper()).identity(identity);
        if !is_root() {
            if uid_is_ours {
                continue;
            }
            let error = supervisor.start().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            assert!(error.to_string().contains(&name), "{error}");
            continue;
        }
        let watched = Watched::start(supervisor.allow_root(false));
        assert_eq!(ids(watched.started(1)[0]), wanted);
    }
}

#[test]
fn without_an_identity_children_are_as_the_supervisor() {
    let watched = Watched::start(supervisor(sleeper()));
    assert_eq!(ids(watched.started(1)[0]), ids(process::id()));
}

#[test]
fn what_cannot_be_run() {
    let nobody_else = Identity::new(None, None).unwrap();
    let supervisor = supervisor(Program::new("/no/such")).identity(nobody_else);
    let error = supervisor.start().unwrap_err().to_string();
    assert!(error.starts_with("cannot run /no/such: "), "{error}");
}

#[test]
fn children_do_not_run_as_root_unless_it_is_allowed() {
    let supervisor = |identity: Option<&str>| {
        let address: Address = "127.0.0.1:0".parse().unwrap();
        let listener = Listener::bind(&address, &Options::new()).unwrap();
        let supervisor = Supervisor::new(listener, sleeper());
        match identity {
            Some(identity) => supervisor.identity(identity.parse().unwrap()),
            None => supervisor,
        }
    };
    for identity in [Some("root"), Some("0:4343")] {
        let error = supervisor(identity).start().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert!(error.to_string().contains("root"), "{error}");
        let error = supervisor(identity).run().unwrap_err();
        assert!(error.to_string().contains("root"), "{error}");
    }
    for identity in [None, Some(":4343")] {
        let refused = supervisor(identity).start();
        if is_root() {
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::PermissionDenied);
            Watched::start(supervisor(identity).allow_root(true)).started(1);
        } else {
            assert_eq!(refused.is_ok(), identity.is_none());
        }
    }
}
