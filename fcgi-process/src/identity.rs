//! Users and groups, by name or number.

use std::fmt;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::str::FromStr;

use nix::unistd::{Gid, Group, Uid, User};

/// As whom the children run: a user, a group or both; by default as their supervisor does.
///
/// - A user without a group has the group of its entry in the user database.
/// - A group without a user changes the group alone.
/// - Children of a supervisor that runs as root have no supplementary groups when a user is given,
///   also not those of which the user is a member.
///
/// The text form is `USER`, `USER:GROUP` or `:GROUP`, each by name or number; a name that consists
/// of digits comes before the number. It serves for the owner of a socket as well:
///
/// ```
/// use fcgi_listen::Options;
/// use fcgi_process::Identity;
///
/// let owner: Identity = "0:0".parse()?;
/// let options = Options::new().unix_owner(owner.uid(), owner.gid());
/// # let _ = options;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    user: Option<Named>,
    group: Option<Named>,
}

/// A number and what the operator called it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    number: u32,
    name: String,
}

impl Identity {
    /// Looks a user and a group up, each by name or number. `None` and `None` change nothing.
    ///
    /// # Errors
    ///
    /// `NotFound` when there is no such user or group, or no group is given for the number of a
    /// user without an entry; else what the system's user database says. The text names what was
    /// looked for.
    pub fn new(user: Option<&str>, group: Option<&str>) -> io::Result<Self> {
        let group = group.map(find_group).transpose()?;
        let Some(name) = user else {
            return Ok(Self { user: None, group });
        };
        let (uid, entry) = find_user(name)?;
        let group = match (group, entry) {
            (Some(group), _) => group,
            (None, Some(entry)) => Named::of_group(entry.gid),
            (None, None) => return Err(unknown(&format!("entry for user {name:?}: give a group"))),
        };
        Ok(Self {
            user: Some(Named {
                number: uid,
                name: name.to_owned(),
            }),
            group: Some(group),
        })
    }

    /// The number of the user, if one is given.
    #[must_use]
    pub fn uid(&self) -> Option<u32> {
        self.user.as_ref().map(|user| user.number)
    }

    /// The number of the group, if one is given or comes with the user.
    #[must_use]
    pub fn gid(&self) -> Option<u32> {
        self.group.as_ref().map(|group| group.number)
    }

    /// Whether children of this process run as root: the user is, or none is given and the process
    /// does.
    #[must_use]
    pub fn is_root(&self) -> bool {
        match self.uid() {
            Some(uid) => uid == 0,
            None => Uid::effective().is_root() || Uid::current().is_root(),
        }
    }

    pub(crate) fn apply(&self, command: &mut Command) {
        if let Some(gid) = self.gid() {
            command.gid(gid);
        }
        if let Some(uid) = self.uid() {
            // As root this drops the supplementary groups too.
            command.uid(uid);
        }
    }
}

impl Named {
    fn of_group(gid: Gid) -> Self {
        // The name is for messages alone.
        let name = match Group::from_gid(gid) {
            Ok(Some(group)) => group.name,
            _ => gid.to_string(),
        };
        Self {
            number: gid.as_raw(),
            name,
        }
    }
}

impl FromStr for Identity {
    type Err = io::Error;

    fn from_str(text: &str) -> io::Result<Self> {
        match text.split_once(':') {
            None => Self::new(Some(text), None),
            Some(("", group)) => Self::new(None, Some(group)),
            Some((user, group)) => Self::new(Some(user), Some(group)),
        }
    }
}

/// `user www-data, group www-data`.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.user, &self.group) {
            (None, None) => f.write_str("the same user"),
            (Some(user), None) => write!(f, "user {}", user.name),
            (None, Some(group)) => write!(f, "group {}", group.name),
            (Some(user), Some(group)) => write!(f, "user {}, group {}", user.name, group.name),
        }
    }
}

/// The number of a user, and its entry if it has one.
fn find_user(name: &str) -> io::Result<(u32, Option<User>)> {
    if let Some(user) = look_up(name, User::from_name(name))? {
        return Ok((user.uid.as_raw(), Some(user)));
    }
    match number(name) {
        Some(uid) => Ok((uid, look_up(name, User::from_uid(Uid::from_raw(uid)))?)),
        None => Err(unknown(&format!("user {name:?}"))),
    }
}

fn find_group(name: &str) -> io::Result<Named> {
    let number = match look_up(name, Group::from_name(name))? {
        Some(group) => group.gid.as_raw(),
        // Only a name needs an entry.
        None => number(name).ok_or_else(|| unknown(&format!("group {name:?}")))?,
    };
    Ok(Named {
        number,
        name: name.to_owned(),
    })
}

/// The highest number means "no change" to the system calls.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number| *number != u32::MAX)
}

fn look_up<T>(name: &str, entry: nix::Result<Option<T>>) -> io::Result<Option<T>> {
    entry.map_err(|errno| {
        let error = io::Error::from(errno);
        io::Error::new(error.kind(), format!("looking up {name:?}: {error}"))
    })
}

fn unknown(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("there is no {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str) -> (Option<u32>, Option<u32>) {
        let identity: Identity = text.parse().unwrap();
        (identity.uid(), identity.gid())
    }

    #[test]
    fn by_name_and_by_number() {
        let group = Group::from_gid(Gid::from_raw(0)).unwrap().unwrap().name;
        for (text, wanted) in [
            ("root", (Some(0), Some(0))),
            ("0", (Some(0), Some(0))),
            ("root:4242424", (Some(0), Some(4_242_424))),
            ("4242424:0", (Some(4_242_424), Some(0))),
            (&format!(":{group}"), (None, Some(0))),
            (&format!("4242424:{group}"), (Some(4_242_424), Some(0))),
        ] {
            assert_eq!(numbers(text), wanted, "{text:?}");
        }
        let nothing = Identity::new(None, None).unwrap();
        assert_eq!((nothing.uid(), nothing.gid()), (None, None));
    }

    #[test]
    fn errors_name_what_there_is_not() {
        for (text, wanted) in [
            ("no such user", "there is no user \"no such user\""),
            ("", "there is no user \"\""),
            ("root:", "there is no group \"\""),
            ("root:no such group", "there is no group \"no such group\""),
            ("-1", "there is no user \"-1\""),
            ("4294967295:0", "there is no user \"4294967295\""),
            (
                "4242424",
                "there is no entry for user \"4242424\": give a group",
            ),
        ] {
            let error = text.parse::<Identity>().unwrap_err();
            assert_eq!(error.to_string(), wanted);
            assert_eq!(error.kind(), io::ErrorKind::NotFound, "{text:?}");
        }
    }

    #[test]
    fn shown_as_the_operator_called_it() {
        let identity: Identity = "0:4242424".parse().unwrap();
        assert_eq!(identity.to_string(), "user 0, group 4242424");
    }
}
