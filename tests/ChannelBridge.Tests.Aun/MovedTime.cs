namespace ChannelBridge.Tests.Aun;

/// <summary>A clock that can be put forward; timers and time-outs go on as ever.</summary>
internal sealed class MovedTime : TimeProvider
{
    public TimeSpan By { get; set; }

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + By;
}
