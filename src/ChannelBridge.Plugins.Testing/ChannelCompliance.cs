using System.Globalization;
using ChannelBridge.Abstractions.Messaging;
using Microsoft.Extensions.DependencyInjection;

namespace ChannelBridge.Plugins.Testing;

/// <summary>
/// What every channel must do that delivers through the outbox, whatever its platform is: each check is a test of its own, on a fresh host
/// and platform.
/// </summary>
/// <param name="host">The host, not started.</param>
/// <param name="platform">The platform.</param>
public sealed class ChannelCompliance(ChannelHost host, IPlatform platform)
{
    private const string Echo = "echo: ";
    private const int Rounds = 3;
    private static readonly string[] Lanes = ["ann", "bob"];

    // What people and their machines send: none of it may stop a conversation, or become something else than text.
    private static readonly string[] Hostile =
    [
        "a\r\nQUIT :gone\r\nb", "../../../etc/passwd", "\u202Eright to left", "zalgo" + new string('\u0301', 400), "half an emoji \uD83D", "null\0byte",
        "\u0001ACTION waves\u0001", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"stop\"}", "<script>alert(1)</script>", "%s%n{0}{{}}", "/stop me", new string('x', 20_000),
    ];

    /// <summary>The names of the checks.</summary>
    public static IReadOnlyList<string> Checks { get; } =
        ["accept", "duplicate", "ack", "refuse", "retry", "restart", "order", "hostile", "backPressure", "stopWhileBusy", "settings"];

    /// <summary>How long something that must come may take; machines that run tests are crowded. Default 2 minutes.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Runs one check. False when the platform can't do what it needs.</summary>
    /// <param name="check">One of <see cref="Checks"/>.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="ComplianceException">The channel fails it.</exception>
    public async Task<bool> RunAsync(string check, CancellationToken cancellationToken = default)
    {
        var needs = check switch
        {
            "duplicate" => PlatformTraits.Repeats,
            "refuse" or "retry" => PlatformTraits.Refuses,
            "backPressure" => PlatformTraits.Blocks,
            _ => PlatformTraits.None,
        };
        if ((platform.Traits & needs) != needs) return false;
        // It starts the host by itself, with settings that aren't to be taken.
        if (check == "settings") return await SettingsAsync(cancellationToken).ConfigureAwait(false);
        await StartAsync(cancellationToken).ConfigureAwait(false);
        await (check switch
        {
            "accept" => AcceptAsync(cancellationToken),
            "duplicate" => DuplicateAsync(cancellationToken),
            "ack" => AckAsync(cancellationToken),
            "refuse" => RefuseAsync(cancellationToken),
            "retry" => RetryAsync(cancellationToken),
            "restart" => RestartAsync(cancellationToken),
            "order" => OrderAsync(cancellationToken),
            "hostile" => HostileAsync(cancellationToken),
            "backPressure" => BackPressureAsync(cancellationToken),
            "stopWhileBusy" => StopWhileBusyAsync(cancellationToken),
            _ => throw new ArgumentException($"there is no check {check}", nameof(check)),
        }).ConfigureAwait(false);
        return true;
    }

    // A message is answered where it was said.
    private async Task AcceptAsync(CancellationToken stop)
    {
        await platform.SayAsync("ann", "a1", "hello", stop).ConfigureAwait(false);
        await HearsAsync("hello", stop).ConfigureAwait(false);
        Once("hello");
    }

    // The same message again is the same message, also after a restart.
    private async Task DuplicateAsync(CancellationToken stop)
    {
        await platform.SayAsync("ann", "d1", "twice", stop).ConfigureAwait(false);
        await HearsAsync("twice", stop).ConfigureAwait(false);
        await platform.SayAsync("ann", "d1", "twice", stop).ConfigureAwait(false);
        await platform.SayAsync("ann", "d2", "behind it", stop).ConfigureAwait(false);
        await HearsAsync("behind it", stop).ConfigureAwait(false);
        await host.StopAsync(stop).ConfigureAwait(false);
        await StartAsync(stop).ConfigureAwait(false);
        await platform.SayAsync("ann", "d1", "twice", stop).ConfigureAwait(false);
        await platform.SayAsync("ann", "d3", "the last", stop).ConfigureAwait(false);
        await HearsAsync("the last", stop).ConfigureAwait(false);
        Once("twice");
    }

    // What users have is acked: nothing waits in the outbox, and nothing is told twice.
    private async Task AckAsync(CancellationToken stop)
    {
        for (var i = 0; i < Rounds; i++) await platform.SayAsync("ann", $"k{i}", $"number {i}", stop).ConfigureAwait(false);
        for (var i = 0; i < Rounds; i++) await HearsAsync($"number {i}", stop).ConfigureAwait(false);
        await SettledAsync(stop).ConfigureAwait(false);
        for (var i = 0; i < Rounds; i++) Once($"number {i}");
    }

    // What is refused for good is a dead letter and holds nobody up.
    private async Task RefuseAsync(CancellationToken stop)
    {
        platform.RefuseNext(forGood: true);
        await platform.SayAsync("ann", "r1", "refuse me", stop).ConfigureAwait(false);
        await UntilAsync(() => Backlog().DeadLetter > 0, "the refused message is a dead letter", stop).ConfigureAwait(false);
        await platform.SayAsync("ann", "r2", "after it", stop).ConfigureAwait(false);
        await HearsAsync("after it", stop).ConfigureAwait(false);
        Never("refuse me");
    }

    // What is refused for now is tried again, before what was said later.
    private async Task RetryAsync(CancellationToken stop)
    {
        platform.RefuseNext(forGood: false);
        await platform.SayAsync("ann", "t1", "try again", stop).ConfigureAwait(false);
        await platform.SayAsync("ann", "t2", "later", stop).ConfigureAwait(false);
        await HearsAsync("later", stop).ConfigureAwait(false);
        await HearsAsync("try again", stop).ConfigureAwait(false);
        InOrder(["try again", "later"]);
    }

    // Ended at each step, nothing is lost: before the message, right behind it, at its answer.
    private async Task RestartAsync(CancellationToken stop)
    {
        for (var round = 0; round < Rounds; round++)
        {
            await platform.SayAsync("ann", $"s{round}", $"round {round}", stop).ConfigureAwait(false);
            if (round == 1) await HearsAsync($"round {round}", stop).ConfigureAwait(false);
            await host.KillAsync(stop).ConfigureAwait(false);
            await platform.AttachAsync(host, stop).ConfigureAwait(false);
        }

        await host.StopAsync(stop).ConfigureAwait(false);
        await StartAsync(stop).ConfigureAwait(false);
        for (var round = 0; round < Rounds; round++) await HearsAsync($"round {round}", stop).ConfigureAwait(false);
        InOrder([.. Enumerable.Range(0, Rounds).Select(round => $"round {round}")]);
    }

    // Each conversation is in order; none waits for another.
    private async Task OrderAsync(CancellationToken stop)
    {
        const int Count = 6;
        await Task.WhenAll(Lanes.Select(async lane =>
        {
            for (var i = 0; i < Count; i++) await platform.SayAsync(lane, $"{lane}{i}", Numbered(lane, i), stop).ConfigureAwait(false);
        })).ConfigureAwait(false);
        foreach (var lane in Lanes)
        {
            for (var i = 0; i < Count; i++) await HearsAsync(Numbered(lane, i), stop).ConfigureAwait(false);
            InOrder([.. Enumerable.Range(0, Count).Select(i => Numbered(lane, i))]);
        }
    }

    private async Task HostileAsync(CancellationToken stop)
    {
        for (var i = 0; i < Hostile.Length; i++)
        {
            var lane = $"h{i}";
            await platform.SayAsync(lane, $"x{i}", Hostile[i], stop).ConfigureAwait(false);
            await platform.SayAsync(lane, $"y{i}", $"still there {i}.", stop).ConfigureAwait(false);
        }

        for (var i = 0; i < Hostile.Length; i++) await HearsAsync($"still there {i}.", stop).ConfigureAwait(false);
    }

    // A platform that takes nothing for a while loses nothing, and the host's memory isn't where it waits.
    private async Task BackPressureAsync(CancellationToken stop)
    {
        const int Count = 60;
        platform.Block(true);
        for (var i = 0; i < Count; i++) await host.SendAsync(platform.Account, platform.TargetOf(Lanes[i % Lanes.Length]), $"send {i}.", $"bp{i}", stop).ConfigureAwait(false);
        Never("send 1.");
        platform.Block(false);
        for (var i = 0; i < Count; i++) await UntilAsync(() => Find($"send {i}.").Count > 0, $"users hear 'send {i}.'", stop).ConfigureAwait(false);
        for (var lane = 0; lane < Lanes.Length; lane++) InOrder([.. Enumerable.Range(0, Count).Where(i => i % Lanes.Length == lane).Select(i => $"send {i}.")]);
        await SettledAsync(stop).ConfigureAwait(false);
    }

    // A stop in the middle ends in time, and what was said is answered afterwards.
    private async Task StopWhileBusyAsync(CancellationToken stop)
    {
        for (var i = 0; i < Rounds * 2; i++) await platform.SayAsync(Lanes[i % Lanes.Length], $"b{i}", $"busy {i}.", stop).ConfigureAwait(false);
        using var timeout = new CancellationTokenSource(Patience);
        await host.StopAsync(stop).WaitAsync(timeout.Token).ConfigureAwait(false);
        await StartAsync(stop).ConfigureAwait(false);
        for (var i = 0; i < Rounds * 2; i++) await HearsAsync($"busy {i}.", stop).ConfigureAwait(false);
    }

    // Settings with a fault are refused with their place, and the plugin runs as soon as they are mended.
    private async Task<bool> SettingsAsync(CancellationToken stop)
    {
        if (host.Manifest is not { } manifest) return false;
        var faults = SettingsFaults.Of(manifest, host.Settings).Concat(platform.BadSettings.Select(bad => new SettingsFaults.Fault("", bad))).ToList();
        if (faults.Count == 0) return false;
        foreach (var (place, settings) in faults)
        {
            var refusal = await host.RefusalOfAsync(settings, stop).ConfigureAwait(false)
                ?? throw new ComplianceException($"the plugin runs with these settings, which have a fault{(place.Length > 0 ? $" at {place}" : "")}: {settings.GetRawText()}");
            if (!refusal.Contains(place, StringComparison.Ordinal)) throw new ComplianceException($"settings with a fault at {place} are refused without its place: {refusal}");
            if (place.Length == 0 && refusal.Length == 0) throw new ComplianceException($"nothing says why these settings are refused: {settings.GetRawText()}");
        }

        await StartAsync(stop).ConfigureAwait(false);
        await AcceptAsync(stop).ConfigureAwait(false);
        return true;
    }

    private static string Numbered(string lane, int number) => string.Create(CultureInfo.InvariantCulture, $"{lane} says {number}.");

    private async Task StartAsync(CancellationToken stop)
    {
        await host.StartAsync(stop).ConfigureAwait(false);
        await platform.AttachAsync(host, stop).ConfigureAwait(false);
    }

    private Backlog Backlog() => host.Services.GetRequiredService<IOutbox>().GetBacklog(platform.Channel, platform.Account);

    private Task SettledAsync(CancellationToken stop) => UntilAsync(() => Backlog().Pending == 0, "everything is acked", stop);

    private Task HearsAsync(string text, CancellationToken stop) => UntilAsync(() => Find(Echo + text).Count > 0, $"users hear the answer to '{text}'", stop);

    private List<PlatformMessage> Find(string text) => [.. platform.Heard.Where(heard => heard.Text.Trim() == text)];

    private void Once(string text)
    {
        if (Find(Echo + text).Count is not 1 and var count) throw new ComplianceException($"users have heard the answer to '{text}' {count} times, and once is right");
    }

    private void Never(string text)
    {
        if (platform.Heard.Any(heard => heard.Text.Contains(text, StringComparison.Ordinal))) throw new ComplianceException($"users have heard '{text}', which can't be");
    }

    private void InOrder(IReadOnlyList<string> texts)
    {
        var before = (Text: "", Place: long.MinValue);
        foreach (var text in texts)
        {
            var first = platform.Heard.Where(heard => heard.Text.Trim() == text || heard.Text.Trim() == Echo + text).MinBy(heard => heard.Place)
                ?? throw new ComplianceException($"users haven't heard '{text}'");
            if (first.Place < before.Place) throw new ComplianceException($"users have heard '{text}' before '{before.Text}'");
            before = (text, first.Place);
        }
    }

    private async Task UntilAsync(Func<bool> holds, string what, CancellationToken stop)
    {
        using var timeout = new CancellationTokenSource(Patience);
        while (!holds())
        {
            if (timeout.IsCancellationRequested) throw new ComplianceException($"not within {Patience.TotalSeconds:0} s: {what}");
            await Task.Delay(20, stop).ConfigureAwait(false);
        }
    }
}
