using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Host.Terminal;
using ChannelBridge.Tests.Unit.Support;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Tests.Unit.Host.Terminal;

public sealed class LogFormatterTests
{
    private readonly ManualTime _time = new();

    private LogFormatter Make(LogLevel level = LogLevel.Information) => new(_time, new LogLevelSwitch(level));

    private static string Write(LogFormatter formatter, LogLevel level, string message, Exception? fault = null, int id = 1)
    {
        using var output = new StringWriter();
        formatter.Write(new LogEntry<string>(level, "Some.Category", new EventId(id), message, fault, (state, _) => state), null, output);
        return output.ToString().ReplaceLineEndings("\n");
    }

    [Fact]
    public void Write_TextFromOutside_StaysOneLineThatSteersNothing()
    {
        var line = Write(Make(), LogLevel.Information, "account \u001b[2Jx\u202Ey\nfail: forged");
        Assert.EndsWith("info: Some.Category account [2Jxy fail: forged\n", line, StringComparison.Ordinal);
    }

    [Fact]
    public void Write_KnownFault_IsItsTextAndItsCausesWithoutAStack()
    {
        Exception fault;
        try
        {
            throw new BridgeException("BUSY", "too much", new IOException("the disk is full"));
        }
        catch (BridgeException caught)
        {
            fault = caught;
        }

        Assert.EndsWith("warn: Some.Category it failed [BUSY: too much <- the disk is full]\n",
            Write(Make(), LogLevel.Warning, "it failed", fault), StringComparison.Ordinal);
        Assert.Contains("   at ", Write(Make(LogLevel.Debug), LogLevel.Warning, "it failed", fault), StringComparison.Ordinal);
    }

    [Fact]
    public void Write_UnexpectedFault_ShowsItsStack()
    {
        try
        {
            throw new InvalidOperationException("oh");
        }
        catch (InvalidOperationException fault)
        {
            Assert.Contains("\n   at ", Write(Make(), LogLevel.Error, "it failed", fault), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Write_AnOutage_BecomesALineAMinuteThatSaysHowManyWereLeftOut()
    {
        var formatter = Make();
        var written = Enumerable.Range(0, 100).Count(_ => Write(formatter, LogLevel.Error, "can't write").Length > 0);
        Assert.Equal(RepeatGate.Burst, written);

        // Another event isn't held back by it.
        Assert.NotEmpty(Write(formatter, LogLevel.Error, "something else", id: 2));
        _time.Advance(RepeatGate.Window);
        Assert.Contains("(and 95 more like this within the last minute)", Write(formatter, LogLevel.Error, "can't write"),
            StringComparison.Ordinal);
        Assert.Empty(Write(formatter, LogLevel.Error, "can't write"));

        // A quiet minute ends it.
        _time.Advance(RepeatGate.Window);
        Assert.Contains("(and 1 more", Write(formatter, LogLevel.Error, "can't write"), StringComparison.Ordinal);
        _time.Advance(RepeatGate.Window);
        Assert.Equal(RepeatGate.Burst, Enumerable.Range(0, 10).Count(_ => Write(formatter, LogLevel.Error, "can't write").Length > 0));
    }

    [Fact]
    public void Switch_NewLevel_IsTakenByEveryLogger()
    {
        var level = new LogLevelSwitch(LogLevel.Information);
        var changed = false;
        using var watch = level.GetChangeToken().RegisterChangeCallback(_ => changed = true, null);
        level.Set(LogLevel.Debug);
        var options = new LoggerFilterOptions();
        level.Configure(options);
        Assert.True(changed);
        Assert.Equal(LogLevel.Debug, options.MinLevel);
        Assert.False(level.GetChangeToken().HasChanged);
    }
}
