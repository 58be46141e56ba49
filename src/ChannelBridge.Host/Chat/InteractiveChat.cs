using ChannelBridge.Client;
using ChannelBridge.Client.Bncr;
using Spectre.Console;

namespace ChannelBridge.Host.Chat;

/// <summary>A conversation in a terminal: what the agent says appears as it comes, what was typed is sent until the host has it.</summary>
internal sealed class InteractiveChat(BncrBridgeClient bridge, string user)
{
    private const string Prompt = "[bold green]you>[/] ";
    private readonly Lock _screen = new();

    /// <summary>Runs until <c>/quit</c> or the end of the input.</summary>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bridge.Client.StateChanged += (_, change) => Tell(change.State switch
        {
            ClientState.Reconnecting => "[yellow]the connection is lost; trying again. What you type meanwhile is sent later.[/]",
            ClientState.Connected => "[green]connected[/]",
            ClientState.Failed => "[red]the host refused the connection for good; /quit and look at its log[/]",
            _ => null,
        });
        AnsiConsole.MarkupLineInterpolated($"[grey]connected to ChannelBridge {bridge.Client.Server?.Version} as {user}; type and press Enter, /quit ends[/]");
        AnsiConsole.Markup(Prompt);
        var reading = ReadAsync(stop.Token);
        var sending = new List<Task>();
        while (await Task.Run(Console.ReadLine, CancellationToken.None).WaitAsync(stop.Token).ConfigureAwait(false) is { } line && !ChatText.Ends(line))
        {
            if (line.Trim().Length > 0)
            {
                sending.RemoveAll(task => task.IsCompleted);
                sending.Add(SendAsync(line, sending.LastOrDefault() ?? Task.CompletedTask, stop.Token));
            }

            lock (_screen) AnsiConsole.Markup(Prompt);
        }

        await Task.WhenAny(Task.WhenAll(sending), Task.Delay(TimeSpan.FromSeconds(2), CancellationToken.None)).ConfigureAwait(false);
        await stop.CancelAsync().ConfigureAwait(false);
        await reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return ExitCodes.Ok;
    }

    private async Task SendAsync(string line, Task before, CancellationToken cancellationToken)
    {
        // In the order in which they were typed, also while the host is away.
        await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        try
        {
            var result = await bridge.SendAsync(new BncrInbound { Platform = "chat", UserId = user, Msg = line }, cancellationToken).ConfigureAwait(false);
            if (!result.Accepted) Tell($"[red]refused: {Markup.Escape(result.Reason ?? "no reason given")}[/]");
        }
        catch (ChannelBridgeClientException fault)
        {
            Tell($"[red]not sent: {Markup.Escape(fault.Message)}[/]");
        }
        catch (OperationCanceledException)
        {
            // The chat ends.
        }
    }

    private async Task ReadAsync(CancellationToken cancellationToken)
    {
        await foreach (var push in bridge.ReadPushesAsync(cancellationToken).ConfigureAwait(false))
        {
            Tell($"[bold blue]agent>[/] {Markup.Escape(ChatText.Of(push))}");
            await bridge.AckAsync(push, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Writes a line above the prompt.</summary>
    private void Tell(string? markup)
    {
        if (markup is null) return;
        lock (_screen)
        {
            AnsiConsole.Write(new ControlCode("\r\u001b[2K"));
            AnsiConsole.MarkupLine(markup);
            AnsiConsole.Markup(Prompt);
        }
    }
}
