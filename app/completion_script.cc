#include "app/completion_script.h"

#include <CLI/CLI.hpp>
#include <functional>
#include <utility>
#include <vector>

#include "app/command_line.h"

namespace app {
namespace {

using Words = std::vector<std::string>;
/// A word and what it is for.
using Described = std::vector<std::pair<std::string, std::string>>;

/// What may follow one command.
struct Place {
  /// "herald users"
  std::string name;
  Described commands;
  Described flags;
  /// What a positional argument may be, where that is a fixed choice.
  Words choices;
  /// Flags that a value follows, with its choices; none: any text, or a file.
  std::vector<std::pair<std::string, Words>> valued_flags;
};

Words Split(const std::string& text, char separator) {
  Words parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(separator, begin), text.size());
    if (end > begin) parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::string Join(const Words& words, const std::string& separator) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : separator) + word;
  return text;
}

std::string Quote(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

/// Of CLI::IsMember, which describes itself as "{a,b}".
Words ChoicesOf(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const size_t open = type.find('{');
  const size_t close = type.find('}');
  if (open == std::string::npos || close == std::string::npos) return {};
  return Split(type.substr(open + 1, close - open - 1), ',');
}

Place PlaceOf(const CLI::App& command) {
  Place place;
  place.name = FullName(command);
  for (const CLI::App* child : command.get_subcommands([](const CLI::App*) { return true; })) {
    place.commands.emplace_back(child->get_name(), child->get_description());
  }
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_positional()) {
      for (std::string& choice : ChoicesOf(*option)) place.choices.push_back(std::move(choice));
      continue;
    }
    Words names;
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : names) {
      place.flags.emplace_back(name, option->get_description());
      if (option->get_items_expected_max() > 0) {
        place.valued_flags.emplace_back(name, ChoicesOf(*option));
      }
    }
  }
  return place;
}

void AddPlaces(const CLI::App& command, std::vector<Place>& places) {
  places.push_back(PlaceOf(command));
  for (const CLI::App* child : command.get_subcommands([](const CLI::App*) { return true; })) {
    AddPlaces(*child, places);
  }
}

Words Names(const Described& described) {
  Words names;
  for (const auto& [name, what] : described) names.push_back(name);
  return names;
}

/// What the two shells share: `case` takes the same patterns. `choose` and `any` are the shell's
/// lines for a value of a fixed choice and for any other value.
std::string ValueCases(const std::vector<Place>& places,
                       const std::function<std::string(const Words&)>& choose,
                       const std::string& any) {
  std::string cases;
  Words others;
  for (const Place& place : places) {
    for (const auto& [flag, choices] : place.valued_flags) {
      if (choices.empty()) {
        others.push_back(Quote(place.name + " " + flag));
      } else {
        cases += "    " + Quote(place.name + " " + flag) + ") " + choose(choices) + "; return ;;\n";
      }
    }
  }
  if (!others.empty()) cases += "    " + Join(others, " | ") + ") " + any + "; return ;;\n";
  return cases;
}

std::string PlaceNames(const std::vector<Place>& places) {
  Words names;
  for (size_t i = 1; i < places.size(); ++i) names.push_back(Quote(places[i].name));
  return Join(names, " | ");
}

}  // namespace

std::string BashCompletion(const CLI::App& herald) {
  std::vector<Place> places;
  AddPlaces(herald, places);
  std::string script =
      "# Completion of herald for bash: source <(herald completion bash)\n"
      "_herald() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} place=herald words= i\n"
      "  for ((i = 1; i < COMP_CWORD; ++i)); do\n"
      "    case \"$place ${COMP_WORDS[i]}\" in\n"
      "      " +
      PlaceNames(places) +
      ") place=\"$place ${COMP_WORDS[i]}\" ;;\n"
      "    esac\n"
      "  done\n"
      "  COMPREPLY=()\n"
      "  case \"$place ${COMP_WORDS[COMP_CWORD - 1]}\" in\n";
  script += ValueCases(
      places,
      [](const Words& choices) {
        return "COMPREPLY=($(compgen -W " + Quote(Join(choices, " ")) + " -- \"$word\"))";
      },
      ":");
  script += "  esac\n  case \"$place\" in\n";
  for (const Place& place : places) {
    Words words = Names(place.commands);
    for (const Words& more : {place.choices, Names(place.flags)}) {
      words.insert(words.end(), more.begin(), more.end());
    }
    script += "    " + Quote(place.name) + ") words=" + Quote(Join(words, " ")) + " ;;\n";
  }
  return script +
         "  esac\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
         "}\n"
         "complete -o default -F _herald herald\n";
}

std::string ZshCompletion(const CLI::App& herald) {
  std::vector<Place> places;
  AddPlaces(herald, places);
  std::string script =
      "#compdef herald\n"
      "# Completion of herald for zsh: source <(herald completion zsh), or a file _herald in "
      "$fpath\n"
      "_herald() {\n"
      "  local place=herald i\n"
      "  local -a commands flags\n"
      "  for ((i = 2; i < CURRENT; ++i)); do\n"
      "    case \"$place ${words[i]}\" in\n"
      "      " +
      PlaceNames(places) +
      ") place=\"$place ${words[i]}\" ;;\n"
      "    esac\n"
      "  done\n"
      "  case \"$place ${words[CURRENT - 1]}\" in\n";
  script += ValueCases(
      places, [](const Words& choices) { return "compadd -- " + Join(choices, " "); }, "_files");
  script += "  esac\n  case \"$place\" in\n";
  const auto array = [](const Described& described) {
    Words entries;
    for (const auto& [name, what] : described) entries.push_back(Quote(name + ":" + what));
    return "(" + Join(entries, " ") + ")";
  };
  for (const Place& place : places) {
    Described commands = place.commands;
    for (const std::string& choice : place.choices) commands.emplace_back(choice, "");
    script += "    " + Quote(place.name) + ")\n      commands=" + array(commands) +
              "\n      flags=" + array(place.flags) + "\n      ;;\n";
  }
  return script +
         "  esac\n"
         "  if [[ $PREFIX == -* ]]; then\n"
         "    _describe -o option flags\n"
         "  elif (($#commands)); then\n"
         "    _describe command commands\n"
         "  else\n"
         "    _files\n"
         "  fi\n"
         "}\n"
         "if [[ $funcstack[1] == _herald ]]; then _herald \"$@\"; else compdef _herald herald; "
         "fi\n";
}

}  // namespace app
