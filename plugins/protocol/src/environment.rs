//! What an app and its build are given from outside: variables, secrets, and the way to the network.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::decode::{list, no_twins};
use crate::{InvalidText, Value, VariableName, limits};

/// A variable or a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// Its name.
    pub name: VariableName,
    /// Its value.
    pub value: Value,
}

/// Where an app and its build may connect to. Everything else is refused: other ports, other protocols than TCP, private,
/// link-local and other special addresses, the machine itself, other instances. Names are looked up through the backend.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Egress {
    /// TCP ports; none: no connection at all.
    #[serde(deserialize_with = "list::<_, _, { limits::PORTS }>")]
    pub ports: Vec<u16>,
    /// Networks to which connections on these ports are allowed though they are not public.
    #[serde(deserialize_with = "list::<_, _, { limits::NETWORKS }>")]
    pub allow: Vec<Network>,
}

/// A range of addresses, such as `198.51.100.0/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    /// An address in it.
    pub address: IpAddr,
    /// The bits that all of its addresses have in common.
    pub prefix: u8,
}

/// Which of the lists of a message hold variables. Names must not be there twice within one list, and all of them together
/// must fit into the environment of a program.
pub(crate) fn check_variables(lists: &[&[Variable]]) -> Result<(), String> {
    for list in lists {
        no_twins("variable", list.iter().map(|variable| &variable.name))?;
    }
    let bytes = |variable: &Variable| variable.name.as_str().len() + variable.value.as_str().len() + 2;
    let sum: usize = lists.iter().flat_map(|list| list.iter()).map(bytes).sum();
    match sum > limits::ENVIRONMENT {
        true => Err(format!("{sum} bytes of variables and secrets; at most {} are read", limits::ENVIRONMENT)),
        false => Ok(()),
    }
}

impl TryFrom<String> for Network {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, InvalidText> {
        text.parse()
    }
}

impl FromStr for Network {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        const WRONG: InvalidText =
            InvalidText::Form { what: "a network", form: "an address, a / and a number of bits, such as 10.0.0.0/8" };
        let (address, prefix) = text.split_once('/').ok_or(WRONG)?;
        let network = Self { address: address.parse().map_err(|_| WRONG)?, prefix: prefix.parse().map_err(|_| WRONG)? };
        let bits = if network.address.is_ipv4() { 32 } else { 128 };
        // A number may be written in more ways than one; only ours is read.
        match network.prefix <= bits && network.to_string() == text {
            true => Ok(network),
            false => Err(WRONG),
        }
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_an_address_and_a_number_of_bits() {
        for text in ["10.0.0.0/8", "198.51.100.7/32", "0.0.0.0/0", "fd00::/8", "::/0"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
        for text in ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/08", "10.0.0/8", "fd00::/129", "x/8", "", "10.0.0.0/8 "] {
            assert!(text.parse::<Network>().is_err(), "{text:?}");
        }
    }
}
