using System.Globalization;
using System.Net;
using System.Net.Sockets;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Agents;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Unit.Agents;

/// <summary>A provider that fails before, during and after the first token, for both kinds of agents.</summary>
public sealed class ProviderFailureTests
{
    public static readonly TheoryData<AgentKind> Kinds = [AgentKind.Responses, AgentKind.ChatCompletions];

    [Theory]
    [InlineData(AgentKind.Responses, 400, AgentErrorCodes.RequestRefused, false)]
    [InlineData(AgentKind.Responses, 401, AgentErrorCodes.KeyRefused, false)]
    [InlineData(AgentKind.ChatCompletions, 403, AgentErrorCodes.KeyRefused, false)]
    [InlineData(AgentKind.ChatCompletions, 404, AgentErrorCodes.NotFound, false)]
    [InlineData(AgentKind.ChatCompletions, 422, AgentErrorCodes.RequestRefused, false)]
    [InlineData(AgentKind.Responses, 302, AgentErrorCodes.RequestRefused, false)]
    [InlineData(AgentKind.Responses, 429, AgentErrorCodes.Overloaded, true)]
    [InlineData(AgentKind.ChatCompletions, 429, AgentErrorCodes.Overloaded, true)]
    [InlineData(AgentKind.Responses, 500, AgentErrorCodes.Failed, true)]
    [InlineData(AgentKind.ChatCompletions, 503, AgentErrorCodes.Failed, true)]
    public async Task Run_Refused_HasACodeAndSaysWhatToDo(AgentKind kind, int status, string code, bool retryable)
    {
        await using var provider = await FakeProvider.StartAsync(request => request.RefuseAsync(status, """{"error":{"message":"because of this","code":"c"}}"""));
        using var agent = AgentUnderTest.Of(kind, provider.Address, o => o.Retries = 2);
        var fault = await AgentUnderTest.FailAsync(agent);
        Assert.Equal((code, retryable), (fault.Code, fault.Retryable));
        Assert.StartsWith("The agent 'local'", fault.Message, StringComparison.Ordinal);
        Assert.Equal(status, (int?)fault.Details!["status"]);
        // Only what may succeed the next time is sent again.
        Assert.Equal(retryable ? 3 : 1, provider.Requests.Count);
        if (code is AgentErrorCodes.KeyRefused) Assert.Contains("--agent-key-file", fault.Message, StringComparison.Ordinal);
        else if (status != 302) Assert.Contains("because of this", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Run_FailureBeforeTheFirstByte_IsTriedAgain(AgentKind kind)
    {
        await using var provider = await FakeProvider.StartAsync(async request =>
        {
            if (request.Number == 1) await request.RefuseAsync(503, "busy");
            else if (request.Number == 2) request.Abort();
            else await (kind == AgentKind.Responses ? request.ResponseAsync("ok") : request.ChatAsync("ok"));
        });
        using var agent = AgentUnderTest.Of(kind, provider.Address, o => o.Retries = 2);
        Assert.Equal("ok", (await AgentUnderTest.RunAsync(agent)).OfType<AgentReply>().Single().Text);
        Assert.Equal(3, provider.Requests.Count);
        Assert.Equal(2, (long?)agent.Describe()!["retries"]);
    }

    [Theory]
    [InlineData(AgentKind.Responses, true)]
    [InlineData(AgentKind.Responses, false)]
    [InlineData(AgentKind.ChatCompletions, true)]
    [InlineData(AgentKind.ChatCompletions, false)]
    public async Task Run_StreamThatBreaksOff_IsAFailureAndNotTriedAgain(AgentKind kind, bool orderly)
    {
        var seen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var provider = await FakeProvider.StartAsync(async request =>
        {
            await (kind == AgentKind.Responses ? request.EventAsync(new { type = "response.output_text.delta", delta = "half" }) : request.ChunkAsync(new { content = "half" }));
            await seen.Task;
            if (!orderly) request.Abort();
        });
        using var agent = AgentUnderTest.Of(kind, provider.Address, o => o.Retries = 2);
        await using var events = agent.RunAsync(AgentUnderTest.Turn(), CancellationToken.None).GetAsyncEnumerator();
        Assert.True(await events.MoveNextAsync().AsTask().WaitAsync(AgentUnderTest.Patience));
        Assert.Equal(new AgentPartial("half"), events.Current);
        seen.SetResult();
        var fault = await Assert.ThrowsAsync<BridgeException>(async () => await events.MoveNextAsync().AsTask().WaitAsync(AgentUnderTest.Patience));
        Assert.Equal((AgentErrorCodes.StreamBroken, true), (fault.Code, fault.Retryable));
        Assert.Single(provider.Requests);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Run_StreamThatEndsBeforeTheFirstToken_IsAFailureAndNotTriedAgain(AgentKind kind)
    {
        await using var provider = await FakeProvider.StartAsync(request => request.WriteAsync(": hello\n\n"));
        using var agent = AgentUnderTest.Of(kind, provider.Address, o => o.Retries = 2);
        Assert.Equal(AgentErrorCodes.StreamBroken, (await AgentUnderTest.FailAsync(agent)).Code);
        Assert.Single(provider.Requests);
    }

    [Fact]
    public async Task Run_StreamThatIsNoJson_IsAFailure()
    {
        await using var provider = await FakeProvider.StartAsync(request => request.WriteAsync("data: <html>\n\n"));
        using var agent = AgentUnderTest.Of(AgentKind.Responses, provider.Address);
        Assert.Equal(AgentErrorCodes.StreamBroken, (await AgentUnderTest.FailAsync(agent)).Code);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Run_NobodyListens_SaysSo(AgentKind kind)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var url = $"http://{listener.LocalEndpoint}";
        listener.Stop();
        using var agent = AgentUnderTest.Of(kind, url, o => o.Retries = 0);
        var fault = await AgentUnderTest.FailAsync(agent);
        Assert.Equal((AgentErrorCodes.Unreachable, true), (fault.Code, fault.Retryable));
        Assert.Contains("connection refused", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Run_ConnectionThatIsNeverMade_HasItsOwnTimeout(AgentKind kind)
    {
        // TLS belongs to the connection, and this server never says its hello.
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var agent = AgentUnderTest.Of(kind, $"https://{listener.LocalEndpoint}", o => (o.Retries, o.ConnectTimeout) = (0, TimeSpan.FromMilliseconds(100)));
        var fault = await AgentUnderTest.FailAsync(agent);
        Assert.Equal((AgentErrorCodes.ConnectTimeout, true), (fault.Code, fault.Retryable));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Run_SilentProvider_HasOneTimeoutPerKindOfSilence(AgentKind kind)
    {
        var silent = new SemaphoreSlim(0);
        await using var provider = await FakeProvider.StartAsync(async request =>
        {
            if (request.Number >= 2) await request.WriteAsync(": nothing of an answer yet\n\n");
            if (request.Number >= 3)
                await (kind == AgentKind.Responses ? request.EventAsync(new { type = "response.output_text.delta", delta = "x" })
                    : request.ChunkAsync(new { content = "x" }));
            silent.Release();
            await request.SilenceAsync();
        });
        foreach (var (code, retryable, text) in new[]
        {
            (AgentErrorCodes.FirstTokenTimeout, true, "within 20 s"), (AgentErrorCodes.FirstTokenTimeout, true, "within 20 s"),
                (AgentErrorCodes.IdleTimeout, true, "silent for 7 s"),
            (AgentErrorCodes.TurnTimeout, false, "longer than 5 s"),
        })
        {
            var time = new ManualTime();
            using var agent = AgentUnderTest.Of(
                kind, provider.Address, o => (o.FirstTokenTimeout, o.IdleTimeout, o.TurnTimeout) =
                    (TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(7), TimeSpan.FromSeconds(code == AgentErrorCodes.TurnTimeout ? 5 : 60)), time);
            var events = agent.RunAsync(AgentUnderTest.Turn(), CancellationToken.None).GetAsyncEnumerator();
            if (provider.Requests.Count >= 2) Assert.True(await events.MoveNextAsync().AsTask().WaitAsync(AgentUnderTest.Patience));
            var next = events.MoveNextAsync();
            Assert.True(await silent.WaitAsync(AgentUnderTest.Patience));
            var aborted = provider.Requests.Last().Aborted;
            time.Advance(TimeSpan.FromSeconds(code switch { AgentErrorCodes.FirstTokenTimeout => 20, AgentErrorCodes.IdleTimeout => 7, _ => 5 }));
            var fault = await Assert.ThrowsAsync<BridgeException>(async () => await next.AsTask().WaitAsync(AgentUnderTest.Patience));
            Assert.Equal((code, retryable), (fault.Code, fault.Retryable));
            Assert.Contains(text, fault.Message, StringComparison.Ordinal);
            await events.DisposeAsync();
            // The provider doesn't go on for nobody.
            await WaitForAsync(aborted);
        }
    }

    [Theory]
    [InlineData(AgentKind.Responses, 0)]
    [InlineData(AgentKind.Responses, 1)]
    [InlineData(AgentKind.Responses, 2)]
    [InlineData(AgentKind.ChatCompletions, 0)]
    [InlineData(AgentKind.ChatCompletions, 1)]
    [InlineData(AgentKind.ChatCompletions, 2)]
    public async Task Run_CancelledAtAnyPoint_ReachesTheProvider(AgentKind kind, int tokens)
    {
        var asked = new TaskCompletionSource<CancellationToken>();
        await using var provider = await FakeProvider.StartAsync(async request =>
        {
            for (var i = 0; i < tokens; i++)
                await (kind == AgentKind.Responses ? request.EventAsync(new { type = "response.output_text.delta", delta = "x" }) : request.ChunkAsync(new { content = "x" }));
            asked.SetResult(request.Aborted);
            await request.SilenceAsync();
        });
        using var agent = AgentUnderTest.Of(kind, provider.Address);
        using var cancel = new CancellationTokenSource();
        var events = agent.RunAsync(AgentUnderTest.Turn(), cancel.Token).GetAsyncEnumerator();
        for (var i = 0; i < tokens; i++) Assert.True(await events.MoveNextAsync().AsTask().WaitAsync(AgentUnderTest.Patience));
        var next = events.MoveNextAsync();
        var aborted = await asked.Task.WaitAsync(AgentUnderTest.Patience);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await next.AsTask().WaitAsync(AgentUnderTest.Patience));
        await events.DisposeAsync();
        await WaitForAsync(aborted);
        Assert.Equal((1L, 0L, 0L), ((long?)agent.Describe()!["cancelled"], (long?)agent.Describe()!["failed"], (long?)agent.Describe()!["running"]));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Run_ReaderThatGoes_ReachesTheProvider(AgentKind kind)
    {
        await using var provider = await FakeProvider.StartAsync(async request =>
        {
            await (kind == AgentKind.Responses ? request.EventAsync(new { type = "response.output_text.delta", delta = "x" }) : request.ChunkAsync(new { content = "x" }));
            await request.SilenceAsync();
        });
        using var agent = AgentUnderTest.Of(kind, provider.Address);
        await foreach (var _ in agent.RunAsync(AgentUnderTest.Turn(), CancellationToken.None)) break;
        await provider.Aborted.Task.WaitAsync(AgentUnderTest.Patience);
    }

    [Fact]
    public async Task Run_RetryAfterInSeconds_IsWaitedFor()
    {
        var time = new ManualTime();
        await using var provider = await FakeProvider.StartAsync(request => request.Number == 1 ? request.RefuseAsync(429, "{}", "3") : request.ChatAsync("ok"));
        using var agent = AgentUnderTest.Of(AgentKind.ChatCompletions, provider.Address, time: time);
        var turn = AgentUnderTest.RunAsync(agent);
        await UntilAsync(() => agent.Describe()!["retries"]!.GetValue<long>() == 1);
        time.Advance(TimeSpan.FromSeconds(2.9));
        Assert.Single(provider.Requests);
        time.Advance(TimeSpan.FromSeconds(0.2));
        Assert.Equal("ok", AgentUnderTest.TextOf(await turn));
    }

    [Theory]
    [InlineData("90", 90)]
    [InlineData("DATE", 90)]
    [InlineData("-5", null)]
    [InlineData("soon", null)]
    public async Task Run_LongRetryAfter_IsToldInsteadOfWaitedFor(string header, int? seconds)
    {
        var time = new ManualTime();
        if (header == "DATE") header = time.GetUtcNow().AddSeconds(90).ToString("R", CultureInfo.InvariantCulture);
        await using var provider = await FakeProvider.StartAsync(request => request.RefuseAsync(429, "{}", header));
        using var agent = AgentUnderTest.Of(AgentKind.Responses, provider.Address, o => o.Retries = seconds is null ? 0 : 2, time);
        var fault = await AgentUnderTest.FailAsync(agent);
        Assert.Equal((AgentErrorCodes.Overloaded, (double?)seconds), (fault.Code, fault.RetryAfter?.TotalSeconds));
        Assert.Single(provider.Requests);
    }

    [Fact]
    public async Task Run_ProviderThatFailsRepeatedly_IsLeftAloneForAWhile()
    {
        var time = new ManualTime();
        var well = false;
        await using var provider = await FakeProvider.StartAsync(request => well ? request.ChatAsync("ok") : request.RefuseAsync(500, "{}"));
        using var agent = AgentUnderTest.Of(
            AgentKind.ChatCompletions, provider.Address, o => (o.Retries, o.BreakerFailures, o.BreakerPause) = (0, 3, TimeSpan.FromSeconds(15)), time);
        for (var i = 0; i < 3; i++) Assert.Equal(AgentErrorCodes.Failed, (await AgentUnderTest.FailAsync(agent)).Code);
        var resting = await AgentUnderTest.FailAsync(agent);
        // UNAVAILABLE costs a channel's message no attempt: it waits.
        Assert.Equal((ErrorCodes.Unavailable, true), (resting.Code, resting.Retryable));
        Assert.InRange(resting.RetryAfter!.Value, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(15));
        Assert.Equal(3, provider.Requests.Count);
        Assert.Equal("open", (string?)agent.Describe()!["breaker"]);
        well = true;
        time.Advance(TimeSpan.FromSeconds(16));
        Assert.Equal("ok", AgentUnderTest.TextOf(await AgentUnderTest.RunAsync(agent)));
        Assert.Equal("closed", (string?)agent.Describe()!["breaker"]);
    }

    /// <summary>Guards against one message whose repetitions alone open the breaker for all others.</summary>
    [Fact]
    public async Task Run_RepetitionsOfOneTurn_CountOnceForTheBreaker()
    {
        await using var provider = await FakeProvider.StartAsync(request => request.RefuseAsync(500, "{}"));
        using var agent = AgentUnderTest.Of(
            AgentKind.ChatCompletions, provider.Address, o => (o.Retries, o.RetryDelay, o.BreakerFailures) = (2, TimeSpan.Zero, 3), new ManualTime());
        for (var i = 0; i < 3; i++) Assert.Equal(AgentErrorCodes.Failed, (await AgentUnderTest.FailAsync(agent)).Code);
        Assert.Equal(ErrorCodes.Unavailable, (await AgentUnderTest.FailAsync(agent)).Code);
        Assert.Equal(9, provider.Requests.Count);
    }

    [Fact]
    public async Task Run_KeyInTheProvidersMessage_IsNotRepeated()
    {
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, "sk-very-secret");
            await using var provider =
                await FakeProvider.StartAsync(
                request => request.RefuseAsync(request.Number == 1 ? 400 : 401, """{"error":{"message":"wrong: sk-very-secret"}}"""));
            using var agent = AgentUnderTest.Of(AgentKind.ChatCompletions, provider.Address, o => o.KeyFile = file);
            Assert.Contains("wrong: ***", (await AgentUnderTest.FailAsync(agent)).Message, StringComparison.Ordinal);
            Assert.DoesNotContain("sk-very", (await AgentUnderTest.FailAsync(agent)).ToString(), StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static async Task WaitForAsync(CancellationToken aborted)
    {
        var done = new TaskCompletionSource();
        await using var registration = aborted.Register(() => done.TrySetResult());
        await done.Task.WaitAsync(AgentUnderTest.Patience, CancellationToken.None);
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        using var patience = new CancellationTokenSource(AgentUnderTest.Patience);
        while (!condition()) await Task.Delay(5, patience.Token);
    }
}
