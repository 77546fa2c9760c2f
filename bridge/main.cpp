#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include "bridge/cli/command.h"

namespace {

using orbridge::cli::Command;

void print_usage(std::ostream& out) {
    out << "orbridge " ORBRIDGE_VERSION
           " - makes Nextcloud and OpenRegister events durable and delivers them\n\n"
           "usage: orbridge <command> [options]\n\n";
    for (const auto& command : orbridge::cli::commands()) {
        std::string line = "  " + command.name;
        line.resize(17, ' ');
        out << line << command.summary << "\n";
    }
    out << "\n`orbridge <command> --help` tells more. Exit codes: 0 ok, 1 failed, 2 configuration or usage.\n";
}

int run(const Command& command, const std::vector<std::string>& arguments) {
    const auto args = command.parse(arguments);
    if (!args) {
        std::cerr << "orbridge " << command.name << ": " << args.error().message << "\n\n" << command.help();
        return orbridge::cli::kConfiguration;
    }
    if (args->has("help")) {
        std::cout << command.help();
        return orbridge::cli::kOk;
    }
    return command.run(*args);
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    const auto name = arguments.empty() ? std::string("--help") : arguments.front();
    if (name == "--version") {
        std::cout << "orbridge " ORBRIDGE_VERSION "\n";
        return orbridge::cli::kOk;
    }
    if (name == "--help" || name == "help") {
        print_usage(std::cout);
        return arguments.empty() ? orbridge::cli::kConfiguration : orbridge::cli::kOk;
    }
    const auto& all = orbridge::cli::commands();
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const Command& command) { return command.name == name; });
    if (found == all.end()) {
        std::cerr << "orbridge: unknown command '" << name << "'\n\n";
        print_usage(std::cerr);
        return orbridge::cli::kConfiguration;
    }
    return run(*found, {arguments.begin() + 1, arguments.end()});
}
