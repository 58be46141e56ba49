using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using ChannelBridge.Client;
using ChannelBridge.Host.Commands.A2A;
using ChannelBridge.Host.Composition;
using ChannelBridge.Host.Settings;

namespace ChannelBridge.Host.Commands;

/// <summary>The command line: commands, their help with examples, and how faults are told.</summary>
internal static class CommandLine
{
    /// <summary>Parses and runs.</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        var root = Create();
        var parsed = root.Parse(args);
        if (parsed.Action is ParseErrorAction) return TellUsage(parsed);
        try
        {
            // serve and ask have their own handling of signals; the others just end.
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }).ConfigureAwait(false);
        }
        catch (SettingsException fault)
        {
            await Console.Error.WriteLineAsync("The settings don't allow a start:").ConfigureAwait(false);
            foreach (var problem in fault.Problems) await Console.Error.WriteLineAsync("  " + problem).ConfigureAwait(false);
            return ExitCodes.Settings;
        }
        catch (HostStartException fault)
        {
            await Console.Error.WriteLineAsync("error: " + fault.Message).ConfigureAwait(false);
            return fault.ExitCode;
        }
        catch (ChannelBridgeClientException fault)
        {
            await Console.Error.WriteLineAsync($"error: {fault.Message} ({fault.Code})").ConfigureAwait(false);
            if (fault.Code == ClientErrorCodes.Unreachable)
                await Console.Error.WriteLineAsync("is a host running? start one with: channelbridge serve (and say here where it is: --data DIR or --url URL)").ConfigureAwait(false);
            if (fault.Code == ClientErrorCodes.Unauthorized)
                await Console.Error.WriteLineAsync("the host's first token stands in DIR/token; name the folder with --data DIR, or another token with --token-file FILE").ConfigureAwait(false);
            return ExitCodes.Of(fault);
        }
        catch (Exception fault)
        {
            // Nobody expected it, so the trace is worth more than its looks.
            await Console.Error.WriteLineAsync($"error: {fault.Message}\nThis is a fault of ChannelBridge; please report it with the following lines.\n{fault}").ConfigureAwait(false);
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
            SendCommand.Create(),
            SendFileCommand.Create(),
            ReceiveFileCommand.Create(),
            DeadLettersCommand.Create(),
            PluginsCommand.Create(),
            PluginCommand.Create(),
            TokensCommand.Create(),
            ImportCommand.Create(),
            A2ACommand.Create(),
        };
        foreach (var option in root.Options.OfType<HelpOption>())
        {
            option.Action = new HelpWithExamples((HelpAction)option.Action!);
        }

        return root;
    }

    private static int TellUsage(ParseResult parsed)
    {
        var names = string.Join(' ', Path(parsed.CommandResult.Command).Reverse());
        foreach (var error in parsed.Errors) Console.Error.WriteLine("error: " + error.Message);
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
