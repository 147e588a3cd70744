#include "app/completion_command.h"

#include <memory>
#include <string>

#include "app/command_line.h"
#include "app/completion_script.h"
#include "app/exit_code.h"

namespace app {

void AddCompletionCommand(CommandLine& command_line) {
  auto shell = std::make_shared<std::string>();
  const CLI::App& herald = command_line.herald();
  CLI::App& command = command_line.Add(
      command_line.herald(), "completion", "Print a script that completes commands and flags",
      [shell, &herald](Environment& environment, const CLI::App&) {
        environment.console.out << (*shell == "zsh" ? ZshCompletion(herald)
                                                    : BashCompletion(herald));
        return kExitDone;
      });
  command.add_option("shell", *shell, "Whose script")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh"}));
  command.footer(
      "Examples:\n"
      "  source <(herald completion bash)\n"
      "  herald completion bash > /etc/bash_completion.d/herald\n"
      "  herald completion zsh > \"${fpath[1]}/_herald\"");
}

}  // namespace app
