#pragma once

#include <string_view>

#include "bridge/adapt/native.h"

namespace orbridge::postgresql {

/// What an error means for what is to become of a task, by its SQLSTATE (PostgreSQL manual, appendix A). `reads`: the
/// task runs in a transaction that may only read, so that a server that only lets read is not the one to blame.
NativeEnd::Is class_of(std::string_view sqlstate, bool reads);

/// The SQLSTATE in what libpq says, in its verbose form, of a connection that was refused; empty: none is in it.
std::string_view sqlstate_in(std::string_view message);

}  // namespace orbridge::postgresql
