//! Tags: words by which people tell devices apart.

use crate::limits::{TAG_BYTES_MAX, TAGS_PER_DEVICE_MAX};
use crate::{Backend, Store, StoreError};

impl Store {
    /// Gives a device these tags and no others.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or [`StoreError::Invalid`] for an impossible tag or too many.
    pub fn set_tags(&self, endpoint_id: &str, tags: Vec<String>) -> Result<(), StoreError> {
        self.change_device(endpoint_id, None, Some(tags))
    }

    /// Gives a device one more tag. One that it has already is as well.
    ///
    /// # Errors
    /// As [`Store::set_tags`].
    pub fn add_tag(&self, endpoint_id: &str, tag: &str) -> Result<(), StoreError> {
        check(tag)?;
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.add_tag(endpoint_id.to_owned(), tag.to_owned()),
        }
    }

    /// Takes a tag from a device. One that it does not have is as well.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when no device has this Endpoint ID.
    pub fn remove_tag(&self, endpoint_id: &str, tag: &str) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.remove_tag(endpoint_id.to_owned(), tag.to_owned()),
        }
    }

    /// The Endpoint IDs of the devices that have this tag, in order, at most `limit`.
    ///
    /// # Errors
    /// What the backend says.
    pub fn tagged(&self, tag: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.tagged(tag, limit),
        }
    }
}

pub(crate) fn too_many() -> StoreError {
    StoreError::Full(format!(
        "a device has at most {TAGS_PER_DEVICE_MAX} tags; take one away first"
    ))
}

/// Refuses impossible tags, and too many.
pub(crate) fn check_all(tags: &[String]) -> Result<(), StoreError> {
    tags.iter().try_for_each(|tag| check(tag))?;
    match tags.len() > TAGS_PER_DEVICE_MAX {
        true => Err(StoreError::Invalid(format!(
            "a device has at most {TAGS_PER_DEVICE_MAX} tags, and these are {}",
            tags.len()
        ))),
        false => Ok(()),
    }
}

fn check(tag: &str) -> Result<(), StoreError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:=/@".contains(&byte);
    match tag.len() {
        1..=TAG_BYTES_MAX if tag.bytes().all(is_plain) => Ok(()),
        _ => Err(StoreError::Invalid(format!(
            "the tag {tag:?}: 1 to {TAG_BYTES_MAX} ASCII letters, digits and -_.:=/@ are expected"
        ))),
    }
}
