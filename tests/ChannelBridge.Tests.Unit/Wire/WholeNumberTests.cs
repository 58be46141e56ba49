using System.Text;
using System.Text.Json;
using ChannelBridge.Protocol.Json;
using ChannelBridge.Tests.Unit.Bncr;

namespace ChannelBridge.Tests.Unit.Wire;

/// <summary>To JSON Schema 1500.0 is an integer.</summary>
public sealed class WholeNumberTests
{
    [Theory]
    [InlineData("1500.0", 1500L)]
    [InlineData("1.5e3", 1500L)]
    [InlineData("-2E0", -2L)]
    [InlineData("0.0", 0L)]
    [InlineData("9223372036854775807", long.MaxValue)]
    [InlineData("9007199254740993.0", 9_007_199_254_740_993L)]
    [InlineData("1500.5", null)]
    [InlineData("1e400", null)]
    [InlineData("9223372036854775808", null)]
    [InlineData("\"1500\"", null)]
    public void TryGet_TakesWhatIsWhole(string json, long? expected)
    {
        Assert.Equal(expected, WholeNumbers.TryGet(JsonElement.Parse(json), out var value) ? value : null);
        var reader = new Utf8JsonReader(Encoding.UTF8.GetBytes(json));
        reader.Read();
        Assert.Equal(expected, WholeNumbers.TryGet(in reader, out value) ? value : null);
    }

    [Fact]
    public void Rewrite_ChangesNumbersOnly()
    {
        Assert.Equal("""{"a":1500,"b":[2,2.5,"3.0"],"c.e":{"d":-1}}""", Encoding.UTF8.GetString(WholeNumbers.Rewrite("""{"a":1500.0,"b":[2e0,2.5,"3.0"],"c.e":{"d":-1.0}}"""u8)!));
        Assert.Null(WholeNumbers.Rewrite("""{"a":1500,"b":"1.0"}"""u8));
    }

    /// <summary>Guards against a client in a language that writes its numbers so, and is told that its limit is of the wrong type.</summary>
    [Fact]
    public async Task Methods_TakeThem()
    {
        var bncr = new BncrUnderTest();
        var answer = await bncr.CallAsync(bncr.Connect(), "bncr.deadLetter.inspect", """ "limit":5.0,"offset":0e0,"olderThan":1.5e3 """);
        Assert.Equal((5, 1500L), ((int)answer["limit"]!, (long)answer["filters"]!["olderThan"]!));
        Assert.Equal(Abstractions.Errors.ErrorCodes.InvalidRequest, (await bncr.RefusedAsync(bncr.Connect(), "bncr.deadLetter.inspect", """ "limit":5.5 """)).Code);
    }
}
