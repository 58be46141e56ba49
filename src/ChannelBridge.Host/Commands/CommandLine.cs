using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using ChannelBridge.Client;
using ChannelBridge.Host.Commands.A2A;
using ChannelBridge.Host.Commands.Aun;
using ChannelBridge.Host.Commands.Juji;
using ChannelBridge.Host.Commands.MultiClaws;
using ChannelBridge.Host.Composition;
using ChannelBridge.Host.Settings;
using ChannelBridge.Host.Terminal;

namespace ChannelBridge.Host.Commands;

/// <summary>The command line: commands, their help with examples, and how faults are told.</summary>
internal static class CommandLine
{
    /// <summary>Parses and runs.</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        var root = Create();
        var parsed = root.Parse(AsOptions(args));
        if (parsed.Action is ParseErrorAction) return TellUsage(parsed);
        try
        {
            // serve, demo, chat and ask have their own handling of signals; the others just end.
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }).ConfigureAwait(false);
        }
        catch (SettingsException fault)
        {
            await Console.Error.WriteLineAsync("The settings don't allow a start:").ConfigureAwait(false);
            foreach (var problem in fault.Problems) await Console.Error.WriteLineAsync("  " + PlainText.Clean(problem))
                .ConfigureAwait(false);
            return ExitCodes.Settings;
        }
        catch (HostStartException fault)
        {
            await Console.Error.WriteLineAsync("error: " + PlainText.Clean(fault.Message)).ConfigureAwait(false);
            return fault.ExitCode;
        }
        catch (ChannelBridgeClientException fault)
        {
            await TellAsync(fault).ConfigureAwait(false);
            return ExitCodes.Of(fault);
        }
        catch (ArgumentException fault) when (fault.Source == typeof(ChannelBridgeClientOptions).Assembly.GetName().Name)
        {
            // An option that the client refuses; its name there leads to the one that was typed.
            await Console.Error.WriteLineAsync("error: " + PlainText.Clean(AsTyped(fault.Message))).ConfigureAwait(false);
            return ExitCodes.Usage;
        }
        catch (OperationCanceledException)
        {
            return ExitCodes.Interrupted;
        }
        catch (Exception fault)
        {
            // No part of the program expected it, so the trace is worth more than its looks.
            await Console.Error.WriteLineAsync(PlainText.Clean($"error: {fault.Message}\nThis is a fault of ChannelBridge; please "
                + $"report it with the following lines.\n{fault}")).ConfigureAwait(false);
            return ExitCodes.Fault;
        }
    }

    /// <summary>The whole command line.</summary>
    public static RootCommand Create()
    {
        var root = new RootCommand("ChannelBridge carries conversations between chat platforms and an AI agent, and loses none of them.")
        {
            DemoCommand.Create(),
            ServeCommand.Create(),
            ChatCommand.Create(),
            AskCommand.Create(),
            DiagnosticsCommand.Create(),
            WatchCommand.Create(),
            ConversationsCommand.Create(),
            ForgetCommand.Create(),
            SendCommand.Create(),
            SendFileCommand.Create(),
            ReceiveFileCommand.Create(),
            DeadLettersCommand.Create(),
            PluginsCommand.Create(),
            PluginCommand.Create(),
            OpenClawCommand.Create(),
            TokensCommand.Create(),
            DevicesCommand.Create(),
            StoreCommand.Create(),
            ConfigCommand.Create(),
            PeersCommand.Create(),
            TasksCommand.Create(),
            ImportCommand.Create(),
            A2ACommand.Create(),
            JujiCommand.Create(),
            AunCommand.Create(),
            SessionsCommand.Create(),
            TeamsCommand.Create(),
            AgentsCommand.Create(),
            ProfileCommand.Create(),
        };
        root.Options.OfType<VersionOption>().Single().Aliases.Add("-v");
        foreach (var option in root.Options.OfType<HelpOption>())
        {
            option.Action = new HelpWithExamples((HelpAction)option.Action!);
        }

        return root;
    }

    /// <summary><c>help</c> and <c>version</c>, as many type them, are the options of the same name.</summary>
    private static string[] AsOptions(string[] args) => args switch
    {
        ["help", .. var command] => [.. command, "--help"],
        ["version"] => ["--version"],
        _ => args,
    };

    private static async Task TellAsync(ChannelBridgeClientException fault)
    {
        await Console.Error.WriteLineAsync(PlainText.Clean($"error: {fault.Message} ({fault.Code})")).ConfigureAwait(false);
        var advice = fault switch
        {
            { Code: ClientErrorCodes.Unreachable, Retryable: false } =>
                "run the command as the user of the host, or reach it by its address with a token: --url ws://HOST:PORT --token-file FILE",
            { Code: ClientErrorCodes.Unreachable } => "is a host running? start one with: channelbridge serve (and say here where it "
                + "is: --data DIR or --url URL)",
            { Code: ClientErrorCodes.Unauthorized } => "the host's first token stands in DIR/token; name the folder with --data DIR, or "
                + "another token with --token-file FILE",
            _ => null,
        };
        if (advice is not null) await Console.Error.WriteLineAsync(advice).ConfigureAwait(false);
    }

    /// <summary>The client's name of an option as the command line has it.</summary>
    private static string AsTyped(string message)
    {
        var first = message.ReplaceLineEndings("\n").Split('\n')[0].Split(" (Parameter ", 2)[0];
        ReadOnlySpan<(string Name, string Option)> names =
        [
            ("Connection.Endpoint:", "--url:"), ("Endpoint:", "--url:"), ("Connection.TokenFile:", "--token-file:"),
                ("TokenFile:", "--token-file:"), ("AccountId:", "--account:"),
        ];
        foreach (var (name, option) in names)
        {
            if (first.StartsWith(name, StringComparison.Ordinal)) return option + first[name.Length..];
        }

        return first;
    }

    private static int TellUsage(ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        var names = string.Join(' ', Path(command).Reverse());
        var wrong = parsed.UnmatchedTokens.Count > 0 ? parsed.UnmatchedTokens[0] : null;
        if (command.Subcommands.Count > 0 && wrong is not null && !wrong.StartsWith('-'))
        {
            var nearest = command.Subcommands.Select(known => known.Name).MinBy(known =>
                Nearest.Distance(known, wrong.ToLowerInvariant()))!;
            var alike = Nearest.Distance(nearest, wrong.ToLowerInvariant()) <= Math.Max(2, nearest.Length / 3);
            Console.Error.WriteLine($"error: unknown command '{PlainText.Line(wrong)}'{(alike ? $"; did you mean {nearest}?" : "")}");
        }
        else if (wrong is not null && wrong.StartsWith('-'))
        {
            var nearest = command.Options.Select(known => known.Name).MinBy(known => Nearest.Distance(known, wrong))!;
            var alike = Nearest.Distance(nearest, wrong) <= Math.Max(2, nearest.Length / 3);
            Console.Error.WriteLine($"error: unknown option '{PlainText.Line(wrong)}'{(alike ? $"; did you mean {nearest}?" : "")}");
        }
        else
        {
            foreach (var error in parsed.Errors) Console.Error.WriteLine("error: " + PlainText.Line(error.Message));
        }

        if (command.Subcommands.Count > 0) Console.Error.WriteLine(
            $"commands: {string.Join(", ", command.Subcommands.Select(known => known.Name))}");
        Console.Error.WriteLine($"see: channelbridge {(names.Length > 0 ? names + " " : "")}--help");
        return ExitCodes.Usage;
    }

    private static IEnumerable<string> Path(Command command)
    {
        for (var current = command; current is not null and not RootCommand; current = current.Parents.OfType<Command>().FirstOrDefault())
            yield return current.Name;
    }

    /// <summary>The usual help, and examples under it.</summary>
    private sealed class HelpWithExamples(HelpAction usual) : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            var result = usual.Invoke(parseResult);
            if (Examples.Of(string.Join(' ', Path(parseResult.CommandResult.Command).Reverse())) is { Count: > 0 } examples)
            {
                var output = parseResult.InvocationConfiguration.Output;
                output.WriteLine("Examples:");
                foreach (var example in examples) output.WriteLine("  " + example);
                output.WriteLine();
            }

            return result;
        }
    }
}
