using System.Net;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Endpoints;
using ChannelBridge.Endpoints.Limits;
using ChannelBridge.Tests.Unit.Support;

namespace ChannelBridge.Tests.Unit.Endpoints;

/// <summary>A thousand bad logins, from one address and from a thousand: limited by address and by identity, and nobody else is.</summary>
public sealed class AccessAttemptTests
{
    private readonly ManualTime _time = new();
    private readonly AccessAttempts _attempts;

    public AccessAttemptTests() => _attempts = new AccessAttempts(new RateLimits(new EndpointLimits(), _time), null);

    private static IPAddress Address(int number) => new([20, 0, (byte)(number / 250), (byte)(number % 250)]);

    [Fact]
    public void AThousand_FromOneAddress_UnderAThousandNames_LimitTheAddress()
    {
        for (var i = 0; i < 1000; i++) _attempts.Failed(Door.Listener, Address(1), $"device-{i}", "a wrong token");
        Assert.Equal(ErrorCodes.RateLimited, _attempts.Check(Address(1), "one more")?.Code);
        Assert.Null(_attempts.Check(Address(2), "one more"));
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.Null(_attempts.Check(Address(1), "one more"));
    }

    [Fact]
    public void AThousand_FromAThousandAddresses_UnderOneName_LimitTheName()
    {
        for (var i = 0; i < 1000; i++) _attempts.Failed(Door.Listener, Address(i), "the owner's device", "a wrong token");
        Assert.Equal(ErrorCodes.RateLimited, _attempts.Check(Address(2000), "the owner's device")?.Code);
        Assert.Null(_attempts.Check(Address(2000), "another device"));
        Assert.Null(_attempts.Check(Address(2000), null));
    }
}
