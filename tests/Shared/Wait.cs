using System.Runtime.CompilerServices;

namespace ChannelBridge.Tests;

/// <summary>Waits for what another thread or process does, without taking the processor from it.</summary>
internal static class Wait
{
    /// <summary>How long anything may take before a test gives up: far more than a crowded machine needs.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);

    /// <summary>Returns when the condition holds; fails with its text when it doesn't within <see cref="Limit"/>.</summary>
    public static Task UntilAsync(Func<bool> condition, [CallerArgumentExpression(nameof(condition))] string what = "") =>
        UntilAsync(() => Task.FromResult(condition()), what);

    /// <summary>The same for a condition that is asked for.</summary>
    public static async Task UntilAsync(Func<Task<bool>> condition, [CallerArgumentExpression(nameof(condition))] string what = "")
    {
        var deadline = DateTime.UtcNow + Limit;
        while (!await condition())
        {
            if (DateTime.UtcNow > deadline) Assert.Fail($"didn't happen within {Limit.TotalMinutes:0} minutes: {what}");
            await Task.Delay(Pause);
        }
    }
}
