//! What answers hold, by name: the members that handlers write, for those who generate clients. That the answers are so is
//! checked against a started host.

pub(crate) mod accounts;
pub(crate) mod host;
pub(crate) mod oauth;
pub(crate) mod repository;
pub(crate) mod space;
