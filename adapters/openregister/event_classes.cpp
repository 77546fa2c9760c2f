#include "adapters/openregister/webhooks_registrar.h"

namespace orbridge::openregister {
namespace {

std::vector<std::string> in_namespace(std::initializer_list<const char*> names) {
    std::vector<std::string> classes;
    for (const auto* name : names) classes.push_back(R"(OCA\OpenRegister\Event\)" + std::string(name) + "Event");
    return classes;
}

}  // namespace

const std::vector<std::string>& default_classes() {
    static const auto kClasses =
        in_namespace({"ObjectCreated",        "ObjectUpdated",        "ObjectDeleted",       "ObjectReverted",
                      "RegisterCreated",      "RegisterUpdated",      "RegisterDeleted",     "SchemaCreated",
                      "SchemaUpdated",        "SchemaDeleted",        "ApplicationCreated",  "ApplicationUpdated",
                      "ApplicationDeleted",   "OrganisationCreated",  "OrganisationUpdated", "OrganisationDeleted",
                      "ConfigurationCreated", "ConfigurationDeleted", "ViewCreated",         "ViewDeleted"});
    return kClasses;
}

const std::vector<std::string>& all_classes() {
    static const auto kClasses =
        in_namespace({"ObjectCreated",        "ObjectUpdated",       "ObjectDeleted",       "ObjectReverted",
                      "ObjectLocked",         "ObjectUnlocked",      "RegisterCreated",     "RegisterUpdated",
                      "RegisterDeleted",      "SchemaCreated",       "SchemaUpdated",       "SchemaDeleted",
                      "ApplicationCreated",   "ApplicationUpdated",  "ApplicationDeleted",  "AgentCreated",
                      "AgentUpdated",         "AgentDeleted",        "ConversationCreated", "ConversationUpdated",
                      "ConversationDeleted",  "OrganisationCreated", "OrganisationUpdated", "OrganisationDeleted",
                      "SourceCreated",        "SourceUpdated",       "SourceDeleted",       "ConfigurationCreated",
                      "ConfigurationDeleted", "ViewCreated",         "ViewDeleted"});
    return kClasses;
}

}  // namespace orbridge::openregister
